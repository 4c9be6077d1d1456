-- Grain: one row per signal_id, entity and reason.
-- Series that no honest signal looks like, with the figure that says so: one that
-- tells the next day too well (a day has slipped somewhere), and one whose source is
-- frozen on the newest day. signals.signal_daily withholds them until somebody has
-- looked.
with qualities as (
    select * from signals.signal_quality
    where verdict = 'implausible'
),

repeats as (
    select * from signals.signal_repeat_daily
    where is_frozen
),

last_day as (
    select max(market_date) as last_date from staging.market_calendar
),

-- One row of many is enough to say why: the surest.
worst as (
    select *
    from qualities
    qualify row_number() over (
        partition by signal_id, entity
        order by abs(hac_t_value) desc nulls last, target_id asc, sample asc, bucket asc
    ) = 1
),

final as (
    select
        signal_id,
        entity,
        'too_good' as reason,
        printf(
            'A day ahead of %s (sample %s, bucket %s): rank correlation %s, t %s, '
            || 'hits %.2f over %d days',
            target_id,
            sample,
            bucket,
            coalesce(printf('%+.3f', rank_information), 'none'),
            coalesce(printf('%+.1f', hac_t_value), 'none'),
            hit_fraction,
            observation_count
        ) as evidence,
        last_date as market_date
    from worst
    union all
    select
        repeats.signal_id,
        repeats.entity,
        'frozen' as reason,
        printf('One and the same value %d times in a row', repeats.repeat_count)
            as evidence,
        repeats.market_date
    from repeats
    inner join last_day on repeats.market_date = last_day.last_date
)

select * from final
