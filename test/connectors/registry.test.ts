import { expect, test } from 'vitest';
import { edgeSourceFor, oauthProviderFor } from '../../connectors/registry.edge.ts';
import { connectorFor } from '../../connectors/registry.ts';

const settings = { hubspot: { apiUrl: 'https://api.hubapi.com', appUrl: 'https://app.hubspot.com' } };

test('HubSpot is there on both sides', () => {
  expect(connectorFor('hubspot', { hubspot: {} })).toBeTypeOf('function');
  expect(edgeSourceFor('hubspot', settings).provider).toBe('hubspot');
  expect(oauthProviderFor('hubspot', settings).scopes.required).toContain('oauth');
});

test('a provider that this build lacks is a matter of configuration, said by name', () => {
  for (const ask of [
    () => connectorFor('pipedrive', { hubspot: {} }),
    () => edgeSourceFor('pipedrive', settings),
    () => oauthProviderFor('pipedrive', settings),
  ]) {
    expect(ask).toThrow(
      expect.objectContaining({ name: 'Misconfigured', message: expect.stringContaining('pipedrive') }),
    );
  }
});
