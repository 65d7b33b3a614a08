import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;

/** What JDBC tools ask before a person sees anything; prints each question that fails, and counts. */
public class Browse {
    interface Question {
        ResultSet ask() throws SQLException;
    }

    static int asked = 0;

    static int count(String what, Question question) {
        asked++;
        int rows = 0;
        try (ResultSet found = question.ask()) {
            while (found.next()) rows++;
        } catch (SQLException | RuntimeException error) {
            System.out.println("FAILED " + what + ": " + error.getMessage().replace("\n", " "));
            return -1;
        }
        return rows;
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection c = DriverManager.getConnection(arguments[0], "reader", arguments[1])) {
            browse(c.getMetaData());
            prepare(c);
            for (String sql : SAID) {
                try (Statement statement = c.createStatement()) {
                    asked++;
                    statement.execute(sql);
                } catch (SQLException error) {
                    System.out.println("FAILED " + error.getMessage().replace("\n", " ") + ": " + sql);
                }
            }
            System.out.println("asked " + asked);
        }
    }

    static void browse(DatabaseMetaData m) throws SQLException {
        System.out.println("views " + (count("tables", () -> m.getTables(null, "public", "providers", null))));
        System.out.println("columns " + count("columns", () -> m.getColumns(null, "public", "providers", "%")));
        System.out.println("own " + count("own", () -> m.getTables(null, "my", "%", new String[] {"VIEW"})));
        System.out.println("keys " + count("keys", () -> m.getPrimaryKeys(null, "public", "events")));
        System.out.println("indexes " + count("indexes", () -> m.getIndexInfo(null, "public", "events", false, false)));
        count("catalogs", m::getCatalogs);
        count("schemas", () -> m.getSchemas("duckpost", "%"));
        count("table types", m::getTableTypes);
        count("types", m::getTypeInfo);
        count("functions", () -> m.getFunctions(null, null, "%"));
        count("function columns", () -> m.getFunctionColumns(null, null, "%", "%"));
        count("procedures", () -> m.getProcedures(null, null, "%"));
        count("procedure columns", () -> m.getProcedureColumns(null, null, "%", "%"));
        count("imported", () -> m.getImportedKeys(null, "public", "events"));
        count("exported", () -> m.getExportedKeys(null, "public", "events"));
        count("crossed", () -> m.getCrossReference(null, "public", "events", null, "public", "providers"));
        count("table privileges", () -> m.getTablePrivileges(null, "public", "events"));
        count("column privileges", () -> m.getColumnPrivileges(null, "public", "events", "%"));
        count("row identifiers", () -> m.getBestRowIdentifier(null, "public", "events", 1, true));
        count("user types", () -> m.getUDTs(null, null, "%", null));
        count("version columns", () -> m.getVersionColumns(null, "public", "events"));
        m.getSQLKeywords();
        m.getMaxColumnNameLength();
    }

    static void prepare(Connection c) throws SQLException {
        c.setAutoCommit(false); // then the driver reads in portions
        PreparedStatement by = c.prepareStatement(
            "select event_type, event_at, destination_count from events"
            + " where event_type = ? and event_at > ? limit ?");
        by.setString(1, "Send");
        by.setTimestamp(2, new Timestamp(0));
        by.setInt(3, 10);
        by.setFetchSize(1);
        System.out.println("prepared " + count("prepared", by::executeQuery)
            + " " + by.getMetaData().getColumnTypeName(2)
            + " " + by.getParameterMetaData().getParameterTypeName(3));
        c.rollback();
        c.setAutoCommit(true);
        for (int time = 0; time < 7; time++) { // from the fifth time on it is a named statement, in binary
            PreparedStatement any = c.prepareStatement("select count(*) from events where event_type = any(?)");
            any.setArray(1, c.createArrayOf("text", new String[] {"Send", "Bounce"}));
            count("any", any::executeQuery);
        }
        System.out.println("valid " + c.isValid(2) + " " + c.getSchema() + " " + c.getCatalog());
    }

    /** DBeaver's, Metabase's and Superset's own, as they send them. */
    static final String[] SAID = {
            // DBeaver
            "SELECT current_schema(),session_user",
            "SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass ORDER BY nspname",
            "SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate OR db.datname = 'duckpost' ORDER BY db.datname",
            "SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')",
            "select * from pg_catalog.pg_settings where name='standard_conforming_strings'",
            "select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> ALL ('{a,abs}'::text[])",
            "SELECT c.oid,c.*,d.description,pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr,  pg_catalog.pg_get_partkeydef(c.oid) as partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass WHERE c.relnamespace=2200 AND c.relkind not in ('i','I','c')",
            "SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum and dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.oid=16385 ORDER BY a.attnum",
            "SELECT c.oid,c.*,t.relname as tabrelname,rt.relnamespace as refnamespace,d.description, case when c.contype='c' then \"substring\"(pg_get_constraintdef(c.oid), 7) else null end consrc_copy FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid=c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid=c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_constraint'::regclass WHERE c.conrelid=16385 ORDER BY c.oid",
            "SELECT i.*,i.indkey as keys,c.relname,c.relnamespace,c.relam,c.reltablespace,tc.relname as tabrelname,dsc.description,pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr,pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr,pg_catalog.pg_relation_size(i.indexrelid) as index_rel_size,pg_catalog.pg_stat_get_numscans(i.indexrelid) as index_num_scans FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid=i.indexrelid INNER JOIN pg_catalog.pg_class tc ON tc.oid=i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid=dsc.objoid WHERE i.indrelid=16385 ORDER BY tabrelname, c.relname",
            "SELECT p.oid as poid,p.*,pg_catalog.pg_get_expr(p.proargdefaults, 0) as arg_defaults,d.description FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=p.oid AND d.objsubid = 0 WHERE p.pronamespace=2200 ORDER BY p.proname",
            "SELECT a.oid,a.* FROM pg_catalog.pg_roles a ORDER BY a.rolname",
            "SELECT x.oid,x.* FROM pg_catalog.pg_event_trigger x",
            "SELECT e.oid, cfg.tbls,  n.nspname as schema_name,e.* FROM pg_catalog.pg_extension e join pg_namespace n on n.oid =e.extnamespace left join  ( select  ARRAY_AGG(ns.nspname || '.' ||  cls.relname) tbls, oid_ext  from  (select  unnest(e1.extconfig) oid , e1.oid oid_ext from  pg_catalog.pg_extension e1) c  join    pg_class cls on cls.oid = c.oid  join pg_namespace ns on ns.oid = cls.relnamespace group by oid_ext ) cfg on cfg.oid_ext = e.oid ORDER BY e.oid",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SET extra_float_digits = 3",
            "SHOW search_path",
            "SHOW TRANSACTION ISOLATION LEVEL",
            // Metabase
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_temp_' AND nspname <> 'information_schema'",
            "with table_privileges as (select NULL as role, t.schemaname as schema, t.objectname as table, pg_catalog.has_any_column_privilege(current_user, '\"' || replace(t.schemaname, '\"', '\"\"') || '\"' || '.' || '\"' || replace(t.objectname, '\"', '\"\"') || '\"',  'update') as update, pg_catalog.has_table_privilege(current_user, t.objectname, 'SELECT') as select from (select schemaname, tablename as objectname from pg_catalog.pg_tables union select schemaname, viewname as objectname from pg_catalog.pg_views union select schemaname, matviewname as objectname from pg_catalog.pg_matviews) t where t.schemaname !~ '^pg_' and t.schemaname <> 'information_schema' and pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')) select t.* from table_privileges t",
            "SELECT n.nspname AS schema, c.relname AS name, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' END AS type, d.description AS description, stat.n_live_tup AS estimated_row_count FROM pg_catalog.pg_class AS c INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass LEFT JOIN pg_stat_user_tables AS stat ON n.nspname = stat.schemaname AND c.relname = stat.relname WHERE c.relnamespace = n.oid AND n.nspname !~ '^information_schema|catalog_history|pg_' AND c.relkind in ('r','p','v','f','m') AND n.nspname IN ('public') ORDER BY type ASC, schema ASC, name ASC",
            "SELECT c.column_name AS name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN FORMAT('%s', c.udt_name) ELSE FORMAT('\"%s\".\"%s\"', c.udt_schema, c.udt_name) END AS \"database-type\", c.ordinal_position - 1 AS \"database-position\", c.table_schema AS \"table-schema\", c.table_name AS \"table-name\", pk.column_name IS NOT NULL AS \"pk?\", COL_DESCRIPTION(CAST(CAST(FORMAT('%I.%I', CAST(c.table_schema AS TEXT), CAST(c.table_name AS TEXT)) AS REGCLASS) AS OID), c.ordinal_position) AS \"field-comment\", ((column_default IS NULL) OR (LOWER(column_default) = 'null')) AND (is_nullable = 'NO') AND NOT (((column_default IS NOT NULL) AND (column_default LIKE '%nextval(%')) OR (is_identity <> 'NO')) AS \"database-required\" FROM information_schema.columns AS c LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc INNER JOIN information_schema.key_column_usage AS kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name WHERE tc.constraint_type = 'PRIMARY KEY') AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('public') limit 5",
            "SELECT nspname, typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum e)",
            "SHOW TimeZone",
            "SET TIMEZONE TO 'UTC'",
            "SELECT TRUE AS \"_\" FROM \"public\".\"events\" WHERE 1 <> 1 LIMIT 0",
            "SELECT DATE_TRUNC('month', \"public\".\"events\".\"event_at\") AS \"m\", COUNT(*) AS \"count\" FROM \"public\".\"events\" GROUP BY DATE_TRUNC('month', \"public\".\"events\".\"event_at\") ORDER BY DATE_TRUNC('month', \"public\".\"events\".\"event_at\") ASC",
            "SELECT CAST(\"public\".\"events\".\"event_at\" AS date) AS d FROM \"public\".\"events\" WHERE \"public\".\"events\".\"event_at\" >= DATE_TRUNC('day', (NOW() + INTERVAL '-30 day')) limit 5",
            // Superset
            "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['v']) AND pg_catalog.pg_class.relpersistence != 't' AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog'",
            "SELECT datname FROM pg_database WHERE datistemplate = false",
            "EXPLAIN SELECT 1",
            "SELECT DATE_TRUNC('day', event_at) AS __timestamp, count(*) AS c FROM public.events WHERE event_at >= TO_TIMESTAMP('2020-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND event_at < TO_TIMESTAMP('2030-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY DATE_TRUNC('day', event_at) ORDER BY c DESC LIMIT 10000"
    };
}
