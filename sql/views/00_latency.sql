-- Latency histograms. Edges in ms: 0, 1, then max(previous + 1, floor(1.1 * previous)),
-- up to twelve years; a bucket holds what is above the edge before and at most its own
-- edge, and the first one holds negatives too. A test recounts them.
create or replace macro latency_edges_ms() as (
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22,
        24, 26, 28, 30, 33, 36, 39, 42, 46, 50, 55, 60, 66, 72, 79, 86, 94, 103, 113,
        124, 136, 149, 163, 179, 196, 215, 236, 259, 284, 312, 343, 377, 414, 455, 500,
        550, 605, 665, 731, 804, 884, 972, 1069, 1175, 1292, 1421, 1563, 1719, 1890,
        2079, 2286, 2514, 2765, 3041, 3345, 3679, 4046, 4450, 4895, 5384, 5922, 6514,
        7165, 7881, 8669, 9535, 10488, 11536, 12689, 13957, 15352, 16887, 18575, 20432,
        22475, 24722, 27194, 29913, 32904, 36194, 39813, 43794, 48173, 52990, 58289,
        64117, 70528, 77580, 85338, 93871, 103258, 113583, 124941, 137435, 151178,
        166295, 182924, 201216, 221337, 243470, 267817, 294598, 324057, 356462, 392108,
        431318, 474449, 521893, 574082, 631490, 694639, 764102, 840512, 924563, 1017019,
        1118720, 1230592, 1353651, 1489016, 1637917, 1801708, 1981878, 2180065, 2398071,
        2637878, 2901665, 3191831, 3511014, 3862115, 4248326, 4673158, 5140473, 5654520,
        6219972, 6841969, 7526165, 8278781, 9106659, 10017324, 11019056, 12120961,
        13333057, 14666362, 16132998, 17746297, 19520926, 21473018, 23620319, 25982350,
        28580585, 31438643, 34582507, 38040757, 41844832, 46029315, 50632246, 55695470,
        61265017, 67391518, 74130669, 81543735, 89698108, 98667918, 108534709,
        119388179, 131326996, 144459695, 158905664, 174796230, 192275853, 211503438,
        232653781, 255919159, 281511074, 309662181, 340628399, 374691238, 412160361,
        453376397, 498714036, 548585439, 603443982, 663788380, 730167218, 803183939,
        883502332, 971852565, 1069037821, 1175941603, 1293535763, 1422889339,
        1565178272, 1721696099, 1893865708, 2083252278, 2291577505, 2520735255,
        2772808780, 3050089658, 3355098623, 3690608485, 4059669333, 4465636266,
        4912199892, 5403419881, 5943761869, 6538138055, 7191951860, 7911147046,
        8702261750, 9572487925, 10529736717, 11582710388, 12740981426, 14015079568,
        15416587524, 16958246276, 18654070903, 20519477993, 22571425792, 24828568371,
        27311425208, 30042567728, 33046824500, 36351506950, 39986657645, 43985323409,
        48383855749, 53222241323, 58544465455, 64398912000, 70838803200, 77922683520,
        85714951872, 94286447059, 103715091764, 114086600940, 125495261034,
        138044787137, 151849265850, 167034192435, 183737611678, 202111372845,
        222322510129, 244554761141, 269010237255, 295911260980, 325502387078,
        358052625785, 393857888363, 433243677199
    ]::bigint [] -- noqa: LT01
);

-- How long a Delivery took; may be negative. What is finer than a
-- millisecond is cut off.
create or replace macro delivery_ms(event_at, sent_at) as (
    date_sub('millisecond', sent_at, event_at)
);

-- The band that so many milliseconds lie in, by what is at most in it; NULL for what
-- took longer than all.
create or replace macro latency_band_ms(ms) as (
    case
        when ms <= 1000 then 1000
        when ms <= 5000 then 5000
        when ms <= 30000 then 30000
        when ms <= 120000 then 120000
        when ms <= 600000 then 600000
        when ms <= 3600000 then 3600000
        when ms <= 21600000 then 21600000
    end::bigint
);

-- Place of the first edge from which the one that holds so many milliseconds is at most
-- three away: above 20 each is about a tenth above the one before, so the logarithm
-- says where to look.
create or replace macro latency_place(ms) as (
    floor(ln(greatest(ms, 1)) * 10.492058687257061)::integer - 10
);

-- Upper edge of the bucket that holds so many milliseconds; what is beyond the last has
-- histogram()'s name for it. A test tries all edges.
create or replace macro latency_edge_ms(ms) as (
    case
        when ms is null then null
        when ms <= 0 then 0
        when ms <= 20 then ms
        when
            latency_edges_ms()[latency_place(ms)] >= ms
            then latency_edges_ms()[latency_place(ms)]
        when
            latency_edges_ms()[latency_place(ms) + 1] >= ms
            then latency_edges_ms()[latency_place(ms) + 1]
        when
            latency_edges_ms()[latency_place(ms) + 2] >= ms
            then latency_edges_ms()[latency_place(ms) + 2]
        when
            latency_edges_ms()[latency_place(ms) + 3] >= ms
            then latency_edges_ms()[latency_place(ms) + 3]
        else 9223372036854775807
    end::bigint
);

-- Upper edge of the first of these {key, value} buckets at which the running total
-- reaches goal. One walk through them, on which the total stands in value: sums of all
-- beginnings took three times as long. (sqlfluff knows no lambda of two parameters.)
create or replace macro edge_that_reaches(buckets, goal) as (
    case
        when len(buckets) > 0
            then struct_extract(
                list_reduce( -- noqa: LT01
                    buckets, -- noqa: PRS
                    lambda seen, b: if(
                        seen.value >= goal,
                        seen,
                        { 'key': b.key, 'value': seen.value + b.value }
                    )
                ),
                'key'
            )
    end
);

-- The same for a share of all.
create or replace macro edge_of_share(buckets, share) as (
    edge_that_reaches(
        buckets, share * list_sum(list_transform(buckets, lambda b: b.value))
    )
);

-- What histogram(ms, latency_edges_ms()) counted, without empty buckets: most are.
create or replace macro filled_buckets(buckets) as (
    list_filter(map_entries(buckets), lambda b: b.value > 0)
);
