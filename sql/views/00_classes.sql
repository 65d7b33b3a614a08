-- How SES's own words fall into the classes that are counted.

-- SES never tried to deliver. The first is its global list, the others are the user's.
-- A case: DuckDB makes a join of `in` with as many values, and no filter reaches the
-- scan of events past it.
create or replace macro is_suppression(sub_type) as (
    case sub_type
        when 'Suppressed' then true
        when 'OnAccountSuppressionList' then true
        when 'OnTenantSuppressionList' then true
        when 'EmailValidationSuppressed' then true
        when 'UnsubscribedRecipient' then true
        else false
    end
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

-- The receiver (or a list that it asks) refused the sender or the content, not the
-- address: the classes that block_bounces counts, whatever SES's type says.
create or replace macro is_block(bounce_class) as (
    coalesce(
        bounce_class in ('authentication', 'content', 'policy', 'reputation'), false
    )
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
