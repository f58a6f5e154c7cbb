-- What drizzle-kit cannot say: forced row security, exclusion constraints, append-only tables, partitions,
-- the cross-tenant doors, and the app role's rights. Runs as the owner; the app role `tributary_app` must exist.

do $$ begin
  if not exists (select from pg_roles where rolname = 'tributary_app') then
    raise exception 'The role tributary_app is missing. Run: npm run admin -- roles';
  end if;
end $$;
--> statement-breakpoint
create schema if not exists ops;
--> statement-breakpoint
create extension if not exists btree_gist;
--> statement-breakpoint

-- One company is one partner's at a time.
alter table partner_links add constraint partner_links_days check (from_on is null or to_on is null or from_on < to_on);
--> statement-breakpoint
alter table partner_links add constraint partner_links_no_overlap exclude using gist
  (organization_id with =, account_id with =, daterange(from_on, to_on) with &&);
--> statement-breakpoint

-- A claim takes the oldest of its lane and looks at no other row, however many wait.
create index work_claimable on work (organization_id, lane, scope_id, run_at, object) where lease_until is null and set_aside_at is null;
--> statement-breakpoint
create index work_failed on work (organization_id, lane, scope_id, run_at, object)
  where lease_until is null and set_aside_at is null and attempts > 0;
--> statement-breakpoint

-- Runs: append-only, partitioned by month. A run carries its own inputs, so it replays from itself alone. Written by recompute.
create table attribution_runs (
  organization_id uuid not null,
  id uuid not null,
  deal_id uuid not null,
  computed_at timestamptz not null,
  rule_set_version integer not null,
  engine_version smallint not null,
  anchor_on date not null,
  input_hash bytea not null,
  result_hash bytea not null,
  input bytea not null,
  constraint attribution_runs_pk primary key (organization_id, deal_id, computed_at, id),
  constraint attribution_runs_deal foreign key (organization_id, deal_id) references deals (organization_id, id) on delete cascade
) partition by range (computed_at);
--> statement-breakpoint
alter table attribution_runs alter column input set storage external;
--> statement-breakpoint
create index attribution_runs_by_id on attribution_runs (organization_id, id);
--> statement-breakpoint
create table attribution_runs_other partition of attribution_runs default;
--> statement-breakpoint
alter table attribution_runs enable row level security;
--> statement-breakpoint
create policy tenant on attribution_runs for all to public
  using (organization_id = (select nullif(current_setting('app.organization_id', true), '')::uuid))
  with check (organization_id = (select nullif(current_setting('app.organization_id', true), '')::uuid));
--> statement-breakpoint

-- Months ahead of time, so that a run never waits for DDL; the default partition catches what nobody foresaw.
create function ops.ensure_run_partitions(p_at timestamptz) returns void language plpgsql security definer
set search_path = pg_catalog, public, pg_temp as $$
declare month timestamptz; name text;
begin
  for i in 0..2 loop
    month := date_trunc('month', p_at at time zone 'UTC') at time zone 'UTC' + make_interval(months => i);
    name := 'attribution_runs_' || to_char(month at time zone 'UTC', 'YYYYMM');
    if to_regclass('public.' || name) is null then
      begin
        execute format('create table public.%I partition of public.attribution_runs for values from (%L) to (%L)',
          name, month, (date_trunc('month', month at time zone 'UTC') + interval '1 month') at time zone 'UTC');
        execute format('alter table public.%I enable row level security', name);
        execute format('alter table public.%I force row level security', name);
      exception when check_violation or duplicate_table then null; -- rows already in the default partition, or another process won
      end;
    end if;
  end loop;
end $$;
--> statement-breakpoint

-- Append-only: not even by mistake.
create function ops.refuse_change() returns trigger language plpgsql as $$
begin raise exception '% is append-only', tg_table_name; end $$;
--> statement-breakpoint
create trigger append_only before update or delete on audit_log for each row execute function ops.refuse_change();
--> statement-breakpoint
create trigger append_only_truncate before truncate on audit_log for each statement execute function ops.refuse_change();
--> statement-breakpoint
create trigger append_only before update on attribution_runs for each row execute function ops.refuse_change();
--> statement-breakpoint

-- ── tables of the machinery: no tenant's data beyond ids, no rights for the app role, doors only ──

-- Accepted notices, keyed by provider account and fanned out to every organization linked to it. Written by ops.accept_notices.
create table ops.notices (
  id bigint generated always as identity primary key,
  provider text not null,
  account_external_id text not null,
  delivery_key bytea not null,
  objects text[] not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null,
  fanned_out_at timestamptz,
  -- The instant is part of what the key is a hash of; before it, it lets new notices stand side by side in the index.
  constraint notices_once unique (provider, account_external_id, occurred_at, delivery_key)
);
--> statement-breakpoint
create index notices_waiting on ops.notices (id) where fanned_out_at is null;
--> statement-breakpoint
create index notices_by_age on ops.notices using brin (received_at);
--> statement-breakpoint
-- One bucket of calls per CRM account, shared by all processes and organizations. Written by ops.lease_calls.
create table ops.call_budgets (
  provider text not null,
  account_external_id text not null,
  bucket text not null,
  tokens numeric not null,
  refilled_at timestamptz not null,
  primary key (provider, account_external_id, bucket)
);
--> statement-breakpoint
-- Which worker pools are alive. Written by the worker's heartbeat.
create table ops.worker_heartbeats (
  pool_id text primary key,
  beat_at timestamptz not null default now(),
  fenced_at timestamptz
);
--> statement-breakpoint

-- ── the named doors: the owner may look across tenants on exactly these tables, inside the functions below ──
create policy door on connections for select to current_user using (true);
--> statement-breakpoint
create policy door on api_keys for select to current_user using (true);
--> statement-breakpoint
create policy door on install_links for select to current_user using (true);
--> statement-breakpoint
create policy door on oauth_states for select to current_user using (true);
--> statement-breakpoint
create policy door on organizations for select to current_user using (true);
--> statement-breakpoint
create policy door on work for all to current_user using (true) with check (true);
--> statement-breakpoint

create function ops.wake(p_task text, p_organization uuid, p_scope uuid) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare woken bigint;
begin
  -- Null: the waiting copy of this wake-up started at this very moment, and so will not see what we commit. The next look
  -- makes a new one. Should that go on, the sweep finds the work within a second: no reason to fail the causing transaction.
  for attempt in 1..5 loop
    select (graphile_worker.add_job(p_task, json_build_object('organizationId', p_organization, 'scopeId', p_scope),
      job_key => p_task || ':' || coalesce(p_scope::text, ''), job_key_mode => 'replace', max_attempts => 5,
      priority => case when p_task in ('backfill', 'reconcile', 'retention') then 10 else 0 end)).id into woken;
    exit when woken is not null;
  end loop;
end $$;
--> statement-breakpoint

-- Inserts what is new; the caller answers the CRM after commit, then wakes the fan-out: a waiting notice is work by itself,
-- and the sweep finds it too. In the order of the key, so that two copies of a delivery wait for each other and never deadlock.
-- Returns how many were new.
create function ops.accept_notices(p_notices jsonb, p_at timestamptz) returns integer language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare fresh integer;
begin
  insert into ops.notices (provider, account_external_id, delivery_key, objects, occurred_at, received_at)
    select n.provider, n.account, decode(n.key, 'hex'), n.objects, n.occurred, p_at
    from jsonb_to_recordset(p_notices) as n(provider text, account text, key text, objects text[], occurred timestamptz)
    order by n.provider, n.account, n.occurred, n.key
    on conflict do nothing;
  get diagnostics fresh = row_count;
  return fresh;
end $$;
--> statement-breakpoint

-- Turns waiting notices into fetch work of every organization linked to the account. Returns the notices taken.
create function ops.fan_out_notices(p_limit integer, p_at timestamptz) returns integer language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare taken integer; targets jsonb; target jsonb;
begin
  with taken_notices as (
    update ops.notices n set fanned_out_at = p_at
    from (select x.id from ops.notices x where x.fanned_out_at is null order by x.id limit p_limit for update skip locked) waiting
    where n.id = waiting.id
    returning n.provider, n.account_external_id, n.objects, n.received_at),
  marked as (
    insert into public.work as w (organization_id, lane, scope_id, object, run_at, caused_at)
    select c.organization_id, 'fetch', c.id, o.object, p_at, min(t.received_at)
    from taken_notices t
    join public.connections c on c.provider = t.provider and c.account_external_id = t.account_external_id and c.status <> 'uninstalled'
    cross join lateral unnest(t.objects) as o(object)
    group by c.organization_id, c.id, o.object
    order by c.organization_id, c.id, o.object
    on conflict (organization_id, lane, scope_id, object) do update
      set seq = w.seq + 1, run_at = least(w.run_at, excluded.run_at), caused_at = least(w.caused_at, excluded.caused_at),
          attempts = 0, set_aside_at = null, reason = null
    returning w.organization_id, w.scope_id)
  select (select count(*) from taken_notices),
         (select coalesce(jsonb_agg(distinct jsonb_build_object('organization', m.organization_id, 'scope', m.scope_id)), '[]') from marked m)
    into taken, targets;
  for target in select value from jsonb_array_elements(targets) order by value loop
    perform ops.wake('fetch', (target->>'organization')::uuid, (target->>'scope')::uuid);
  end loop;
  return taken;
end $$;
--> statement-breakpoint

create function ops.organizations_for_account(p_provider text, p_account text)
returns table (organization_id uuid, connection_id uuid) language sql stable security definer
set search_path = pg_catalog, pg_temp as $$
  select c.organization_id, c.id from public.connections c
  where c.provider = p_provider and c.account_external_id = p_account and c.status <> 'uninstalled' order by c.created_at $$;
--> statement-breakpoint
create function ops.organization_for_api_key(p_sha256 text) returns table (organization_id uuid, api_key_id uuid)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select k.organization_id, k.id from public.api_keys k where k.secret_sha256 = p_sha256 $$;
--> statement-breakpoint
create function ops.organization_for_install_link(p_sha256 text) returns table (organization_id uuid, install_link_id uuid)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select l.organization_id, l.id from public.install_links l where l.token_sha256 = p_sha256 $$;
--> statement-breakpoint
create function ops.organization_for_oauth_state(p_sha256 text) returns table (organization_id uuid, oauth_state_id uuid)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select s.organization_id, s.id from public.oauth_states s where s.state_sha256 = p_sha256 $$;
--> statement-breakpoint
create function ops.organization_ids() returns setof uuid language sql stable security definer
set search_path = pg_catalog, pg_temp as $$ select organization_id from public.organizations order by 1 $$;
--> statement-breakpoint

-- Frees what is leased until before then: its holder is dead, since a living one renews. Leases run on the database's clock.
create function ops.release_leases(p_before timestamptz) returns bigint language sql security definer
set search_path = pg_catalog, pg_temp as $$
  with freed as (update public.work set lease_until = null, claim = null where lease_until < p_before returning 1) select count(*) from freed $$;
--> statement-breakpoint

-- Work whose wake-up was lost, or whose time has come. A lane that somebody is working on wakes itself while work is left.
create function ops.wake_due_work(p_at timestamptz) returns integer language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare due record; woken integer := 0;
begin
  perform ops.release_leases(now());
  for due in
    select w.lane, w.organization_id, w.scope_id, min(w.run_at) as since from public.work w
    where w.lease_until is null and w.set_aside_at is null and w.run_at <= p_at
      and not exists (select from public.work h where h.organization_id = w.organization_id and h.lane = w.lane
        and h.scope_id = w.scope_id and h.lease_until is not null)
    group by w.lane, w.organization_id, w.scope_id
  loop
    -- While the recompute fills it up, a write-back waits, ten seconds at most: the CRM counts calls, not rows.
    continue when due.lane = 'write-back' and due.since > p_at - interval '10 seconds' and exists (
      select from public.work r where r.organization_id = due.organization_id and r.lane = 'recompute'
        and r.set_aside_at is null and r.run_at <= p_at);
    if not exists (select from graphile_worker._private_jobs j
                   where j.key = due.lane || ':' || due.scope_id::text and j.locked_at is null and j.attempts < j.max_attempts and j.run_at <= now()) then
      perform ops.wake(due.lane, due.organization_id, due.scope_id);
      woken := woken + 1;
    end if;
  end loop;
  if exists (select from ops.notices where fanned_out_at is null) then
    perform ops.wake('fan-out', null, null);
    woken := woken + 1;
  end if;
  return woken;
end $$;
--> statement-breakpoint

-- What the planner believes of a table, brought up to date when half of it is new. Autovacuum looks once a minute; a first
-- read fills a table in seconds, and everything behind it would be planned for an empty one. Returns the tables looked at.
create function ops.refresh_statistics() returns integer language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare changed regclass; looked_at integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('tributary:statistics', 0)) then return 0; end if;
  for changed in
    select s.relid::regclass from pg_stat_user_tables s join pg_class c on c.oid = s.relid
    where s.schemaname in ('public', 'ops', 'graphile_worker') and c.relkind = 'r'
      and s.n_mod_since_analyze > greatest(100, c.reltuples / 2)
    order by s.relid
  loop
    execute format('analyze %s', changed);
    looked_at := looked_at + 1;
  end loop;
  return looked_at;
end $$;
--> statement-breakpoint

-- A token bucket: at most `p_burst + p_rate * t` calls in any t seconds, whoever asks. Nothing granted = ask again in `wait_ms`.
create function ops.lease_calls(p_provider text, p_account text, p_bucket text, p_rate numeric, p_burst integer, p_want integer, p_at timestamptz)
returns table (granted integer, wait_ms integer) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare b ops.call_budgets; at timestamptz; have numeric;
begin
  insert into ops.call_budgets values (p_provider, p_account, p_bucket, p_burst, coalesce(p_at, clock_timestamp())) on conflict do nothing;
  select * into b from ops.call_budgets c
    where c.provider = p_provider and c.account_external_id = p_account and c.bucket = p_bucket for update;
  at := greatest(b.refilled_at, coalesce(p_at, clock_timestamp()));
  have := least(p_burst, b.tokens + p_rate * extract(epoch from at - b.refilled_at));
  granted := least(p_want, floor(have))::integer;
  wait_ms := case when granted > 0 then 0 else greatest(1, ceil(1000 * (1 - have) / p_rate))::integer end;
  update ops.call_budgets c set tokens = have - granted, refilled_at = at
    where c.provider = p_provider and c.account_external_id = p_account and c.bucket = p_bucket;
  return next;
end $$;
--> statement-breakpoint

-- For gauges: numbers only, over all tenants.
create function ops.work_figures(p_at timestamptz)
returns table (lane text, ready bigint, set_aside bigint, oldest_seconds double precision) language sql stable security definer
set search_path = pg_catalog, pg_temp as $$
  select w.lane, count(*) filter (where w.set_aside_at is null and w.run_at <= p_at), count(*) filter (where w.set_aside_at is not null),
    coalesce(extract(epoch from p_at - min(w.caused_at) filter (where w.set_aside_at is null and w.run_at <= p_at)), 0)::double precision
  from public.work w group by w.lane
  union all
  select 'fan-out', count(*), 0, coalesce(extract(epoch from p_at - min(n.received_at)), 0)::double precision
  from ops.notices n where n.fanned_out_at is null $$;
--> statement-breakpoint
create function ops.forget_notices(p_before timestamptz) returns bigint language sql security definer
set search_path = pg_catalog, pg_temp as $$
  with gone as (delete from ops.notices where received_at < p_before and fanned_out_at is not null returning 1) select count(*) from gone $$;
--> statement-breakpoint

-- ── supervision of graphile-worker 0.18 (a dead pool keeps its jobs for four hours otherwise) ──
create function ops.beat(p_pool text) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare alive integer;
begin
  insert into ops.worker_heartbeats as h (pool_id) values (p_pool)
    on conflict (pool_id) do update set beat_at = now() where h.fenced_at is null;
  get diagnostics alive = row_count;
  delete from ops.worker_heartbeats where beat_at < now() - interval '1 day';
  return alive > 0;
end $$;
--> statement-breakpoint
create function ops.reap_dead_pools(p_silence interval) returns text[] language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare dead text[];
begin
  if not pg_try_advisory_xact_lock(hashtextextended('tributary:reap', 0)) then return '{}'; end if;
  select array_agg(distinct l.locked_by) into dead
    from (select locked_by, locked_at from graphile_worker._private_jobs
          union all select locked_by, locked_at from graphile_worker._private_job_queues) l
    left join ops.worker_heartbeats h on h.pool_id = l.locked_by
    where l.locked_at < now() - p_silence and coalesce(h.beat_at, '-infinity') < now() - p_silence;
  if dead is null then return '{}'; end if;
  update ops.worker_heartbeats set fenced_at = now() where pool_id = any(dead);
  perform graphile_worker.force_unlock_workers(dead);
  return dead;
end $$;
--> statement-breakpoint
create function ops.release_leaked(p_pool text, p_known bigint[], p_age interval) returns bigint language sql security definer
set search_path = pg_catalog, pg_temp as $$
  with j as (update graphile_worker._private_jobs set locked_at = null, locked_by = null
              where locked_by = p_pool and locked_at < now() - p_age and id <> all(p_known) returning job_queue_id),
       q as (update graphile_worker._private_job_queues k set locked_at = null, locked_by = null
              from j where k.id = j.job_queue_id and k.locked_by = p_pool)
  select count(*) from j $$;
--> statement-breakpoint
create function ops.dead_pool_jobs(p_silence interval) returns bigint language sql stable security definer
set search_path = pg_catalog, pg_temp as $$
  select count(*) from graphile_worker._private_jobs j left join ops.worker_heartbeats h on h.pool_id = j.locked_by
  where j.locked_at < now() - p_silence and coalesce(h.beat_at, '-infinity') < now() - p_silence $$;
--> statement-breakpoint
create function ops.newest_beat() returns timestamptz language sql stable security definer
set search_path = pg_catalog, pg_temp as $$ select max(beat_at) from ops.worker_heartbeats where fenced_at is null $$;
--> statement-breakpoint

-- Raised by every migration that the code needs; /readyz and the edge compare it with the number they were built for.
create function ops.schema_version() returns integer language sql immutable security definer
set search_path = pg_catalog, pg_temp as $$ select 1 $$;
--> statement-breakpoint

-- ── rights ──
do $$ declare t regclass; begin
  for t in select c.oid::regclass from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') loop
    execute format('alter table %s force row level security', t);
    if t::text <> 'attribution_runs_other' then
      execute format('grant select, insert, update, delete on %s to tributary_app', t);
    else
      execute format('alter table %s enable row level security', t);
    end if;
  end loop;
end $$;
--> statement-breakpoint
revoke update, delete on audit_log from tributary_app;
--> statement-breakpoint
revoke update, delete on attribution_runs from tributary_app;
--> statement-breakpoint
grant usage on schema ops to tributary_app;
--> statement-breakpoint
revoke all on all functions in schema ops from public;
--> statement-breakpoint
grant execute on all functions in schema ops to tributary_app;
