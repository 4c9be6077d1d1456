-- Grain: one row per event_date, event_kind and subject.
-- Days on which the crypto market's own figures mark an event: a season begins (the
-- state of the day before was another), fear and greed passes an end of its scale, and
-- a crash starts.
with crashes as (
    select * from signals.market_event_span
),

seasons as (
    select
        market_date,
        variant_id,
        state,
        lag(state) over (partition by variant_id order by market_date)
            as previous_state
    from signals.altcoin_season_daily
    where variant_id = 'top100_90d' and state <> 'insufficient'
),

moods as (
    select
        market_date,
        source,
        score,
        lag(score) over (partition by source order by market_date) as previous_score
    from signals.external_sentiment_daily
    where stale_days = 0
),

cut_offs as (
    select
        20 as fear_score,
        80 as greed_score
),

final as (
    select
        market_date as event_date,
        state || '_begins' as event_kind,
        variant_id as subject
    from seasons
    where state in ('altcoin_season', 'bitcoin_season') and previous_state <> state
    union all
    select
        moods.market_date as event_date,
        'fear_begins' as event_kind,
        moods.source as subject
    from moods
    cross join cut_offs
    where
        moods.score <= cut_offs.fear_score
        and moods.previous_score > cut_offs.fear_score
    union all
    select
        moods.market_date as event_date,
        'greed_begins' as event_kind,
        moods.source as subject
    from moods
    cross join cut_offs
    where
        moods.score >= cut_offs.greed_score
        and moods.previous_score < cut_offs.greed_score
    union all
    select
        start_date as event_date,
        'market_crash' as event_kind,
        'top100' as subject
    from crashes
)

select * from final
