// Asks through node-postgres, and prints what it reads as one JSON line.
const { Client } = require("pg");

const ask = async (client) => {
  const values = await client.query(
    "select 1 as a, 'x' as b, null as c, true as d, 1.5::double as e, [1, 2] as f, " +
      "timestamp '2026-01-02 03:04:05' as g",
  );
  const counted = await client.query(
    "select count(*)::int as n from events where event_type = any($1) and event_at > $2 limit $3",
    [["Send", "Bounce"], new Date(0), 5],
  );
  const named = await client.query({ name: "s", text: "select $1::text as t", values: ["é"] });
  const refused = await client.query("drop table events").catch((error) => error.code);
  return [values.rows[0], counted.rows[0].n, named.rows[0].t, refused];
};

(async () => {
  const client = new Client({ connectionString: process.argv[2] });
  await client.connect();
  console.log(JSON.stringify(await ask(client)));
  await client.end();
})();
