-- The only division in the warehouse, and the interval that goes with it.

-- k of n. No denominator is no rate: NULL, never 0.
create or replace macro rate(k, n) as (
    case when n > 0 then k::double / n end
);

-- 95 % Wilson score interval of k of n. NULL unless 0 <= k <= n: it is an interval for
-- subsets, and on other pairs it would look like knowledge.
create or replace macro wilson_low(k, n) as (
    case
        when n > 0 and k = 0 then 0.0::double
        when n > 0 and k between 0 and n
            then greatest(
                0,
                (
                    k::double / n + 3.841458820694124 / (2 * n)
                    - 1.959963984540054 * sqrt(
                        (k::double / n) * (1 - k::double / n) / n
                        + 3.841458820694124 / (4 * n::double * n)
                    )
                ) / (1 + 3.841458820694124 / n)
            )
    end
);

create or replace macro wilson_high(k, n) as (
    case
        when n > 0 and k = n then 1.0::double
        when n > 0 and k between 0 and n
            then least(
                1,
                (
                    k::double / n + 3.841458820694124 / (2 * n)
                    + 1.959963984540054 * sqrt(
                        (k::double / n) * (1 - k::double / n) / n
                        + 3.841458820694124 / (4 * n::double * n)
                    )
                ) / (1 + 3.841458820694124 / n)
            )
    end
);

-- Below this many in the denominator a rate says little.
create or replace macro is_small_sample(n) as (coalesce(n, 0) < 1000);
