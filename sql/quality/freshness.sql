-- Grain: one row per dataset and source.
-- How fresh each source is against the last market day of this file. Of stock indices
-- the last session is expected, by the calendar of the New York exchanges. A value is
-- borne for as long as the signals' inputs are.
with feeds as (
    select * from quality.feed
),

calendar as (
    select max(market_date) as last_date from staging.market_calendar
),

sessions as (
    select session_date from quality.exchange_session
),

inputs as (
    select
        case
            when input_id = 'price' then 'market_daily'
            when input_id = 'vix' then 'equity_daily'
            else concat(input_id, '_daily')
        end as dataset,
        input_id,
        grace_days,
        ttl_days
    from reference.signal_input
),

requirements as (
    select
        signal_id,
        unnest(string_split(required_inputs, ';')) as input_id
    from reference.signal_definition
),

patience as (
    select
        dataset,
        max(grace_days) as grace_days,
        max(ttl_days) as ttl_days
    from inputs
    group by dataset
),

needed_pairs as (
    select distinct
        inputs.dataset,
        requirements.signal_id
    from requirements
    inner join inputs on requirements.input_id = inputs.input_id
),

needed as (
    select
        dataset,
        string_agg(signal_id, ', ' order by signal_id) as signal_ids
    from needed_pairs
    group by dataset
),

observations as (
    select distinct
        'market_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', coin_id) as row_key
    from raw.market_daily
    union all
    select distinct
        'equity_daily' as dataset,
        source,
        session_date as observed_date,
        concat_ws('|', ticker) as row_key
    from raw.equity_daily
    union all
    select distinct
        'positioning_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', venue, perp_symbol) as row_key
    from raw.positioning_daily
    union all
    select distinct
        'open_interest_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', venue, perp_symbol) as row_key
    from raw.open_interest_daily
    union all
    select distinct
        'funding_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', venue, perp_symbol) as row_key
    from raw.funding_daily
    union all
    select distinct
        'perp_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', venue, perp_symbol) as row_key
    from raw.perp_daily
    union all
    select distinct
        'perp_listing_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', venue, perp_symbol) as row_key
    from raw.perp_listing_daily
    union all
    select distinct
        'liquidation_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', venue, perp_symbol) as row_key
    from raw.liquidation_daily
    union all
    select distinct
        'exchange_balance_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', exchange, token_symbol) as row_key
    from raw.exchange_balance_daily
    union all
    select distinct
        'exchange_flow_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', exchange) as row_key
    from raw.exchange_flow_daily
    union all
    select distinct
        'onchain_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', coin_id, metric) as row_key
    from raw.onchain_daily
    union all
    select distinct
        'sentiment_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', '') as row_key
    from raw.sentiment_daily
    union all
    select distinct
        'global_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', '') as row_key
    from raw.global_daily
    union all
    select distinct
        'stablecoin_daily' as dataset,
        source,
        market_date as observed_date,
        concat_ws('|', '') as row_key
    from raw.stablecoin_daily
),

observed as (
    select
        observations.dataset,
        observations.source,
        max(observations.observed_date) as newest_date,
        count(*) filter (
            where
            observations.observed_date
            between calendar.last_date - 6 and calendar.last_date
        ) as row_7d_count
    from observations
    cross join calendar
    group by observations.dataset, observations.source
),

first_ranks as (
    select
        feed,
        min(preference_rank) as preference_rank
    from feeds
    where is_nightly and is_set_up
    group by feed
),

sources as (
    select
        coalesce(feeds.dataset, observed.dataset) as dataset,
        coalesce(feeds.source, observed.source) as source,
        feeds.feed,
        feeds.preference_rank,
        first_ranks.feed is not null as is_due,
        coalesce(feeds.lag_days, 0) as lag_days,
        observed.newest_date,
        coalesce(observed.row_7d_count, 0) as row_7d_count
    from feeds
    full join observed
        on feeds.dataset = observed.dataset and feeds.source = observed.source
    left join first_ranks
        on
            feeds.feed = first_ranks.feed
            and feeds.preference_rank = first_ranks.preference_rank
),

asked as (
    select
        sources.*,
        calendar.last_date - cast(sources.lag_days as integer) as asked_date
    from sources
    cross join calendar
),

last_sessions as (
    select
        asked.source,
        max(sessions.session_date) as session_date
    from asked
    inner join sessions on asked.asked_date >= sessions.session_date
    where asked.dataset = 'equity_daily'
    group by asked.source
),

expected as (
    select
        asked.*,
        case
            when asked.dataset = 'equity_daily' then last_sessions.session_date
            else asked.asked_date
        end as expected_date
    from asked
    left join last_sessions on asked.source = last_sessions.source
),

aged as (
    select
        expected.*,
        greatest(expected.expected_date - expected.newest_date, 0) as age_days,
        greatest(expected.asked_date - expected.newest_date, 0) as asked_age_days,
        coalesce(patience.grace_days + patience.ttl_days, 2) as borne_days
    from expected
    left join patience on expected.dataset = patience.dataset
),

final as (
    select
        aged.dataset,
        aged.source,
        aged.feed,
        aged.preference_rank,
        aged.is_due,
        aged.newest_date,
        aged.expected_date,
        cast(aged.age_days as bigint) as age_days,
        case
            when aged.newest_date is null then 'never'
            when aged.age_days = 0 then 'fresh'
            when aged.asked_age_days <= aged.borne_days then 'late'
            else 'stale'
        end as state,
        aged.row_7d_count,
        needed.signal_ids
    from aged
    left join needed on aged.dataset = needed.dataset
)

select * from final
