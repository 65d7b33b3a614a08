-- What a receiver said, without what is of one recipient alone: so that equal answers
-- are one line, and no address shows.
create or replace macro response_shape(response) as (
    left(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    regexp_replace(
                        response, '<?[^\s<>:;,()]+@[^\s<>:;,()]+>?', '<address>', 'g'
                    ),
                    'https?://\S+',
                    '<link>',
                    'g'
                ),
                '\b(?:\d{1,3}\.){3}\d{1,3}\b',
                '<ip>',
                'g'
            ),
            '\b[A-Za-z_-]*\d[\w-]{7,}\b',
            '<id>',
            'g'
        ),
        300
    )
);
