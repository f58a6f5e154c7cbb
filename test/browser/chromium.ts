import { type Browser, chromium } from 'playwright-core';

/**
 * The browser that npm brought (Linux x64), else one that is installed. The bundle's own flags are for one page in a
 * sandboxed function: a single process without web security, neither of which a test of cookies can use.
 * Where there is none, the reason why: tests are skipped with it.
 */
export async function launchBrowser(): Promise<Browser | { readonly missing: string }> {
  if (process.platform === 'linux' && process.arch === 'x64') {
    const { default: bundled } = await import('@sparticuz/chromium');
    return chromium.launch({
      executablePath: await bundled.executablePath(),
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
      headless: true,
    });
  }
  return chromium.launch({ channel: 'chrome', headless: true }).catch((error: unknown) => ({
    missing: `npm brings a browser for Linux x64 only, and no Chrome is installed here: ${String(error).split('\n')[0]}`,
  }));
}
