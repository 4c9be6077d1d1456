-- Grain: one row per event_id that a chart marks.
-- Days that readers look for in a chart, with a word for each.
with calendar as (
    select * from reference.event_calendar
),

final as (
    select
        event_date,
        event_id,
        case event_id
            when 'covid_crash_2020' then 'Covid'
            when 'terra_collapse_2022' then 'LUNA'
            when 'ftx_bankruptcy_2022' then 'FTX'
            when 'btc_etp_launch_2024' then 'BTC ETPs'
            when 'liquidation_crash_2025' then 'October crash'
        end as word,
        note
    from calendar
    where word is not null
    order by event_date
)

select * from final
