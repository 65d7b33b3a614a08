-- grain: one row per (looked_hour)
create or replace view disk_hourly as
select
    date_trunc('hour', d.looked_at) as looked_hour,
    min(d.free_bytes) as free_bytes,
    arg_max(d.total_bytes, d.looked_at) as total_bytes,
    arg_max(d.floor_bytes, d.looked_at) as floor_bytes,
    arg_max(d.file_bytes, d.looked_at) as file_bytes,
    rate(min(d.free_bytes), arg_max(d.total_bytes, d.looked_at)) as free_rate
from disk_looks as d
group by date_trunc('hour', d.looked_at);

comment on view disk_hourly is
'Room on the disk under the warehouse, hour by hour, as its worker looked.';
comment on column disk_hourly.looked_hour is
'Hour (UTC).';
comment on column disk_hourly.free_bytes is
'Bytes free, the least of the hour.';
comment on column disk_hourly.total_bytes is
'Bytes the disk has.';
comment on column disk_hourly.floor_bytes is
'Below this many free bytes the worker stops receiving: warehouse.min_free_bytes.';
comment on column disk_hourly.file_bytes is
'Bytes of the warehouse''s file and its log, the archive not counted.';
comment on column disk_hourly.free_rate is
'free_bytes / total_bytes.';
