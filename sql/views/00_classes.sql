-- How SES's own words fall into the classes that are counted.

-- SES never tried to deliver. The first is its global list, the others are the user's.
create or replace macro is_suppression(sub_type) as (
    coalesce(
        sub_type in (
            'Suppressed',
            'OnAccountSuppressionList',
            'OnTenantSuppressionList',
            'EmailValidationSuppressed',
            'UnsubscribedRecipient'
        ),
        false
    )
);

-- hard, soft and undetermined are the bounces that count; suppressed and auto_reply
-- arrive as Bounce events and are none.
create or replace macro bounce_kind_of(bounce_type, bounce_sub_type, is_auto_reply) as (
    case
        when bounce_type is null then null
        when is_suppression(bounce_sub_type) then 'suppressed'
        when is_auto_reply then 'auto_reply'
        when bounce_type = 'Permanent' then 'hard'
        when bounce_type = 'Transient' then 'soft'
        else 'undetermined'
    end
);

-- The enhanced status code (RFC 3463) without its class digit: '5.1.1' is '1.1'.
create or replace macro status_detail(status) as (
    regexp_extract(status, '^[245]\.(\d{1,3}\.\d{1,3})', 1)
);

-- What a bounce is about, whatever SES's type says: a block filed as Transient shows up
-- beside the hard ones. The text decides before the code, because 5.7.1 and 5.5.0 stand
-- for almost anything.
create or replace macro bounce_class_of(
    bounce_type, bounce_sub_type, is_auto_reply, status, diagnostic_code
) as (
    case
        when bounce_type is null then null
        when is_suppression(bounce_sub_type) then 'suppressed'
        when is_auto_reply then 'auto_reply'
        when bounce_sub_type = 'NoEmail' then 'invalid_recipient'
        when bounce_sub_type = 'MailboxFull' then 'mailbox_full'
        when bounce_sub_type = 'MessageTooLarge' then 'too_large'
        when
            bounce_sub_type in ('ContentRejected', 'AttachmentRejected')
            then 'content'
        when
            regexp_matches(
                diagnostic_code,
                '(?i)block ?list|black ?list|spamhaus|barracuda|reputation|rbl\b|dnsbl'
            )
            then 'reputation'
        when status_detail(status) in ('1.2', '4.4', '1.10') then 'invalid_domain'
        when
            status_detail(status) in ('1.0', '1.1', '1.3', '1.6', '2.1')
            then 'invalid_recipient'
        when status_detail(status) = '2.2' then 'mailbox_full'
        when status_detail(status) in ('2.3', '3.4') then 'too_large'
        when status_detail(status) = '4.7' then 'expired'
        when status_detail(status) like '6.%' then 'content'
        when status_detail(status) like '7.%' then 'policy'
        when status_detail(status) like '4.%' then 'network'
        else 'other'
    end
);

-- The receiver (or a list that it asks) refused the sender or the content, not the
-- address: the classes that block_bounces counts.
create or replace macro is_block(bounce_class) as (
    coalesce(bounce_class in ('policy', 'reputation', 'content'), false)
);

create or replace macro delay_side_of(delay_type) as (
    case
        when delay_type in ('SendingDeferral', 'InternalFailure') then 'ses'
        else 'receiver'
    end
);

-- A complaint that no person made about spam: counted apart from the headline.
create or replace macro complaint_kind_of(complaint_sub_type, complaint_feedback_type)
as (
    case
        when is_suppression(complaint_sub_type) then 'suppressed'
        when lower(complaint_feedback_type) = 'not-spam' then 'not_spam'
        when lower(complaint_feedback_type) = 'auth-failure' then 'auth_failure'
        when lower(complaint_feedback_type) = 'virus' then 'virus'
        else 'complaint'
    end
);

-- Mail in AWS's bounce rate where Send is not published: an outcome, or a refusal by
-- SES's global list, outside own domains.
create or replace macro aws_outcome(
    outcomes, bounce_sub_type, is_own_domain, recipient
) as (
    case
        when is_own_domain or recipient is null then 0
        when bounce_sub_type = 'Suppressed' then 1
        else outcomes
    end
);
