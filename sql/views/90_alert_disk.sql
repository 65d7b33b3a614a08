-- grain: one row, or none
create or replace view alert_disk as
with newest as (
    select
        max(d.looked_at) as looked_at,
        arg_max(d.free_bytes, d.looked_at) as free_bytes,
        arg_max(d.total_bytes, d.looked_at) as total_bytes,
        arg_max(d.floor_bytes, d.looked_at) as floor_bytes,
        1073741824::bigint as gib
    from disk_looks as d
)

-- A share alone cries too early on a large disk. A full one is not written to: the last
-- look counts until there is room again.
select
    case
        when
            n.free_bytes
            < greatest(2 * n.floor_bytes, least(n.total_bytes * 0.05, 10 * n.gib))
            then 2
        when
            n.free_bytes
            < greatest(4 * n.floor_bytes, least(n.total_bytes * 0.15, 50 * n.gib))
            then 1
        else 0
    end::bigint as level,
    n.free_bytes,
    rate(n.free_bytes, n.total_bytes) as free_rate,
    n.looked_at
from newest as n
where n.looked_at is not null;

comment on view alert_disk is
'Less than 15 % or 50 GiB, whichever is less, is free on the disk under the warehouse, or less than four times warehouse.min_free_bytes (critical 5 %, 10 GiB, twice).';
comment on column alert_disk.level is
'0 is well, 1 a warning, 2 critical. No row before a worker looked.';
comment on column alert_disk.free_bytes is
'Bytes free at the last look.';
comment on column alert_disk.free_rate is
'Those, as a share of the disk.';
comment on column alert_disk.looked_at is
'When the worker last looked (UTC); it can''t note a look while the disk is full.';
