"""The functions that a statement may call: a closed list of DuckDB's own.

Left out are those that read settings, files or the session, that take their time or their memory
from a number (`repeat`, `list_resize`; sql/postgres has bounded ones under some of these names),
and everything that parses JSON: deep nesting ends DuckDB's parser of it, and the process with it.
"""

from typing import Final

_OPERATORS: Final = """
    != !__postfix !~~ !~~* % & && * ** + - / // < << <= <> <@ = > >= >> @ @> ^ ^@ __between | || ~
    ~~ ~~* ~~~
"""
_AGGREGATES: Final = """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
    arg_min arg_min_null argmax argmin array_agg avg bit_and bit_or bit_xor bool_and bool_or corr
    count count_if count_star countif covar_pop covar_samp entropy every favg first fsum
    group_concat histogram kahan_sum kurtosis kurtosis_pop last list listagg mad max max_by mean
    median min min_by mode percentile_cont percentile_disc product quantile quantile_cont
    quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
    regr_syy reservoir_quantile sem skewness stddev stddev_pop stddev_samp string_agg sum sumkahan
    var_pop var_samp variance geomean geometric_mean wavg weighted_avg
"""
_WINDOWS: Final = """
    cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank
    rank_dense row_number
"""
_NUMBERS: Final = """
    abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees
    divide even exp fdiv floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf isnan
    lcm least least_common_multiple lgamma ln log log10 log2 mod multiply nextafter pi pow power
    radians random round round_even sign signbit sin sinh sqrt subtract tan tanh trunc xor
"""
_TEXTS: Final = """
    ascii base64 bin bit_length char_length character_length chr concat concat_ws contains
    damerau_levenshtein decode editdist3 encode ends_with format_bytes formatreadablesize
    from_base64 from_hex hamming hash hex ilike_escape instr jaccard jaro_similarity
    jaro_winkler_similarity lcase left length levenshtein like_escape lower ltrim md5 mismatches
    nfc_normalize not_ilike_escape not_like_escape octet_length ord overlay position prefix
    regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace
    regexp_split_to_array replace reverse right rtrim sha1 sha256 split split_part starts_with
    str_split str_split_regex string_split string_split_regex string_to_array strip_accents strlen
    strpos substr substring suffix to_base64 to_hex translate trim ucase unicode upper url_decode
    url_encode parse_dirname parse_filename
"""
_TIMES: Final = """
    age ago century current_date current_localtime current_localtimestamp current_time
    current_timestamp
    date_add date_diff date_part date_sub date_trunc datediff datepart datesub
    datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms
    epoch_ns
    epoch_us era get_current_time get_current_timestamp hour isodow isoyear julian last_day
    make_date
    make_time make_timestamp make_timestamp_ms make_timestamptz microsecond millennium millisecond
    minute month monthname now quarter second strftime strptime time_bucket timezone timezone_hour
    timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_millennia
    to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years today
    transaction_timestamp try_strptime week weekday weekofyear year yearweek
"""
_LISTS: Final = """
    array_append array_cat array_concat array_contains array_distinct array_extract array_filter
    array_has array_has_all array_has_any array_indexof array_intersect array_length array_position
    array_prepend array_reverse array_slice array_sort array_to_string array_transform array_unique
    array_value cardinality element_at filter flatten generate_subscripts len list_append list_avg
    list_cat list_concat list_contains list_count list_distinct list_element list_extract
    list_filter
    list_first list_has list_has_all list_has_any list_indexof list_intersect list_last list_max
    list_median list_min list_pack list_position list_prepend list_reverse list_reverse_sort
    list_select list_slice list_sort list_sum list_transform list_unique list_value list_where
    list_zip map map_concat map_contains map_entries map_extract map_extract_value map_from_entries
    map_keys map_values row struct_extract struct_extract_at struct_insert struct_pack unnest
"""
_OTHERS: Final = """
    coalesce error gen_random_uuid if ifnull json_array json_object nullif row_to_json to_json
    typeof
    uuid
"""

_ALL: Final = (_OPERATORS, _AGGREGATES, _WINDOWS, _NUMBERS, _TEXTS, _TIMES, _LISTS, _OTHERS)
ALLOWED: Final = frozenset(name for group in _ALL for name in group.split())
# Of what stands after FROM; each gives its rows as they are read.
ALLOWED_TABLES: Final = frozenset({"generate_series", "range", "unnest"})
