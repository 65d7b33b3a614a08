-- What is free where the warehouse lies: no view can ask the disk.

-- grain: one row per time that a worker looked
create table disk_looks (
    looked_at timestamp not null,
    free_bytes bigint not null,
    total_bytes bigint not null,
    floor_bytes bigint not null,
    file_bytes bigint not null
);
