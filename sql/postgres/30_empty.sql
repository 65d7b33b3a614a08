-- What PostgreSQL has and there is none of here: programs ask, and get no rows.

create table pg.pg_attrdef (
    oid uinteger,
    adrelid uinteger,
    adnum smallint,
    adbin varchar
);

create table pg.pg_constraint (
    oid uinteger,
    conname varchar,
    connamespace uinteger,
    contype varchar,
    condeferrable boolean,
    condeferred boolean,
    convalidated boolean,
    conrelid uinteger,
    contypid uinteger,
    conindid uinteger,
    conparentid uinteger,
    confrelid uinteger,
    confupdtype varchar,
    confdeltype varchar,
    confmatchtype varchar,
    conislocal boolean,
    coninhcount integer,
    connoinherit boolean,
    conkey smallint[],
    confkey smallint[],
    conbin varchar
);

create table pg.pg_index (
    indexrelid uinteger,
    indrelid uinteger,
    indnatts smallint,
    indnkeyatts smallint,
    indisunique boolean,
    indnullsnotdistinct boolean,
    indisprimary boolean,
    indisexclusion boolean,
    indimmediate boolean,
    indisclustered boolean,
    indisvalid boolean,
    indcheckxmin boolean,
    indisready boolean,
    indislive boolean,
    indisreplident boolean,
    indkey smallint[],
    indcollation uinteger[],
    indclass uinteger[],
    indoption smallint[],
    indexprs varchar,
    indpred varchar
);

create table pg.pg_inherits (
    inhrelid uinteger,
    inhparent uinteger,
    inhseqno integer,
    inhdetachpending boolean
);

create table pg.pg_trigger (
    oid uinteger,
    tgrelid uinteger,
    tgparentid uinteger,
    tgname varchar,
    tgfoid uinteger,
    tgtype smallint,
    tgenabled varchar,
    tgisinternal boolean,
    tgconstrrelid uinteger,
    tgconstrindid uinteger,
    tgconstraint uinteger,
    tgdeferrable boolean,
    tginitdeferred boolean,
    tgnargs smallint,
    tgattr smallint[],
    tgargs blob,
    tgqual varchar
);

create table pg.pg_rewrite (
    oid uinteger,
    rulename varchar,
    ev_class uinteger,
    ev_type varchar,
    ev_enabled varchar,
    is_instead boolean,
    ev_qual varchar,
    ev_action varchar
);

create table pg.pg_depend (
    classid uinteger,
    objid uinteger,
    objsubid integer,
    refclassid uinteger,
    refobjid uinteger,
    refobjsubid integer,
    deptype varchar
);

create table pg.pg_enum (
    oid uinteger,
    enumtypid uinteger,
    enumsortorder float,
    enumlabel varchar
);

create table pg.pg_range (
    rngtypid uinteger,
    rngsubtype uinteger,
    rngmultitypid uinteger,
    rngcollation uinteger,
    rngsubopc uinteger,
    rngcanonical varchar,
    rngsubdiff varchar
);

create table pg.pg_extension (
    oid uinteger,
    extname varchar,
    extowner uinteger,
    extnamespace uinteger,
    extrelocatable boolean,
    extversion varchar,
    extconfig uinteger[],
    extcondition varchar[]
);

create table pg.pg_policy (
    oid uinteger,
    polname varchar,
    polrelid uinteger,
    polcmd varchar,
    polpermissive boolean,
    polroles uinteger[],
    polqual varchar,
    polwithcheck varchar
);

create table pg.pg_publication (
    oid uinteger,
    pubname varchar,
    pubowner uinteger,
    puballtables boolean,
    pubinsert boolean,
    pubupdate boolean,
    pubdelete boolean,
    pubtruncate boolean,
    pubviaroot boolean
);

create table pg.pg_publication_rel (
    oid uinteger,
    prpubid uinteger,
    prrelid uinteger,
    prqual varchar,
    prattrs smallint[]
);

create table pg.pg_publication_namespace (
    oid uinteger,
    pnpubid uinteger,
    pnnspid uinteger
);

create table pg.pg_statistic_ext (
    oid uinteger,
    stxrelid uinteger,
    stxname varchar,
    stxnamespace uinteger,
    stxowner uinteger,
    stxstattarget integer,
    stxkeys smallint[],
    stxkind varchar[],
    stxexprs varchar
);

create table pg.pg_foreign_table (
    ftrelid uinteger,
    ftserver uinteger,
    ftoptions varchar[]
);

create table pg.pg_foreign_server (
    oid uinteger,
    srvname varchar,
    srvowner uinteger,
    srvfdw uinteger,
    srvtype varchar,
    srvversion varchar,
    srvacl varchar[],
    srvoptions varchar[]
);

create table pg.pg_partitioned_table (
    partrelid uinteger,
    partstrat varchar,
    partnatts smallint,
    partdefid uinteger,
    partattrs smallint[],
    partclass uinteger[],
    partcollation uinteger[],
    partexprs varchar
);

create table pg.pg_sequence (
    seqrelid uinteger,
    seqtypid uinteger,
    seqstart bigint,
    seqincrement bigint,
    seqmax bigint,
    seqmin bigint,
    seqcache bigint,
    seqcycle boolean
);

create table pg.pg_sequences (
    schemaname varchar,
    sequencename varchar,
    sequenceowner varchar,
    data_type varchar,
    start_value bigint,
    min_value bigint,
    max_value bigint,
    increment_by bigint,
    cycle boolean,
    cache_size bigint,
    last_value bigint
);

create table pg.pg_aggregate (
    aggfnoid uinteger,
    aggkind varchar,
    aggnumdirectargs smallint
);

create table pg.pg_operator (
    oid uinteger,
    oprname varchar,
    oprnamespace uinteger,
    oprleft uinteger,
    oprright uinteger,
    oprresult uinteger,
    oprcode uinteger
);

create table pg.pg_opclass (
    oid uinteger,
    opcmethod uinteger,
    opcname varchar,
    opcnamespace uinteger,
    opcowner uinteger,
    opcfamily uinteger,
    opcintype uinteger,
    opcdefault boolean,
    opckeytype uinteger
);

create table pg.pg_cast (
    oid uinteger,
    castsource uinteger,
    casttarget uinteger,
    castfunc uinteger,
    castcontext varchar,
    castmethod varchar
);

create table pg.pg_event_trigger (
    oid uinteger,
    evtname varchar,
    evtevent varchar,
    evtowner uinteger,
    evtfoid uinteger,
    evtenabled varchar,
    evttags varchar[]
);

create table pg.pg_shdescription (
    objoid uinteger,
    classoid uinteger,
    description varchar
);

create table pg.pg_seclabel (
    objoid uinteger,
    classoid uinteger,
    objsubid integer,
    provider varchar,
    label varchar
);

create table pg.pg_auth_members (
    roleid uinteger,
    member uinteger,
    grantor uinteger,
    admin_option boolean
);

create table pg.pg_db_role_setting (
    setdatabase uinteger,
    setrole uinteger,
    setconfig varchar[]
);

create table pg.pg_default_acl (
    oid uinteger,
    defaclrole uinteger,
    defaclnamespace uinteger,
    defaclobjtype varchar,
    defaclacl varchar[]
);

create table pg.pg_init_privs (
    objoid uinteger,
    classoid uinteger,
    objsubid integer,
    privtype varchar,
    initprivs varchar[]
);

create table pg.pg_conversion (
    oid uinteger,
    conname varchar,
    connamespace uinteger,
    conowner uinteger
);

create table pg.pg_indexes (
    schemaname varchar,
    tablename varchar,
    indexname varchar,
    tablespace varchar,
    indexdef varchar
);

create table pg.pg_timezone_names (
    name varchar,
    abbrev varchar,
    utc_offset interval,
    is_dst boolean
);

create table pg.pg_stat_activity (
    datid uinteger,
    datname varchar,
    pid integer,
    usesysid uinteger,
    usename varchar,
    application_name varchar,
    client_addr varchar,
    backend_start timestamptz,
    xact_start timestamptz,
    query_start timestamptz,
    state varchar,
    query varchar,
    backend_type varchar
);

create table pg.pg_stat_user_tables (
    relid uinteger,
    schemaname varchar,
    relname varchar,
    seq_scan bigint,
    n_live_tup bigint,
    n_dead_tup bigint
);

create table pg.pg_locks (
    locktype varchar,
    database uinteger,
    relation uinteger,
    pid integer,
    mode varchar,
    granted boolean
);

create table pg.pg_prepared_xacts (
    transaction uinteger,
    gid varchar,
    prepared timestamptz,
    owner varchar,
    database varchar
);
