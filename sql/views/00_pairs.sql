-- How events of one recipient of a message find each other.

-- Order among events of a group: by time, then by key, so that arrival changes nothing.
create or replace macro is_before(this_at, this_key, other_at, other_key) as (
    this_at < other_at or (this_at = other_at and this_key < other_key)
);

-- A Delivery pairs with a bounce only near its sending: what lies outside pairs with
-- nothing, whichever came first, so that a look-up has bounds.
create or replace macro is_near_sending(delivered_at, sent_at) as (
    delivered_at >= sent_at - interval 1 hour
    and delivered_at <= sent_at + interval 24 hour
);
