// Asks through Grafana's own drivers, pgx and lib/pq, and prints what they read.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/lib/pq"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	askPgx(os.Args[1])
	askPq(os.Args[1])
}

func askPgx(url string) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	check(err)
	var number, counted int64
	var text string
	var at time.Time
	var share float64
	var yes bool
	var list []int32
	check(c.QueryRow(ctx, "select 1::bigint, 'a', timestamp '2026-01-02 03:04:05', 1.5::double, true, [1, 2]").
		Scan(&number, &text, &at, &share, &yes, &list))
	check(c.QueryRow(ctx, "select count(*) from events where event_type = any($1) and event_at > $2",
		[]string{"Send", "Bounce"}, time.Unix(0, 0).UTC()).Scan(&counted))
	fmt.Println("pgx", number, text, at.Format(time.RFC3339), share, yes, list, counted)
	for _, said := range []string{"-- ping", "select event_at as time, 1.5 as value from events limit 2"} {
		results, err := c.PgConn().Exec(ctx, said).ReadAll() // as newer Grafana does
		check(err)
		for _, result := range results {
			fmt.Println("pgx", len(result.Rows), result.CommandTag)
		}
	}
	_, err = c.Exec(ctx, "drop table events")
	var refused *pgconn.PgError
	fmt.Println("pgx", errors.As(err, &refused) && refused.Code == "25006")
	check(c.Close(ctx))
}

func askPq(url string) {
	db, err := sql.Open("postgres", url)
	check(err)
	defer db.Close()
	check(db.Ping()) // sends a semicolon
	var counted, version, sum int64
	check(db.QueryRow("select count(*) from events where event_type = $1 and event_at between $2 and $3",
		"Send", time.Unix(0, 0).UTC(), time.Now()).Scan(&counted))
	check(db.QueryRow("SELECT current_setting('server_version_num')::int/100").Scan(&version))
	transaction, err := db.Begin()
	check(err)
	check(transaction.QueryRow("select $1::int + 1", 4).Scan(&sum))
	check(transaction.Rollback())
	fmt.Println("pq", counted, version, sum)
}
