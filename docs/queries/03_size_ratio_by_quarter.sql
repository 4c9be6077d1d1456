-- Grain: one row per quarter_start.
-- Small over large at each quarter's last close: 1 on the base day, and on which part
-- of the days until then it had been lower.
select
    cast(date_trunc('quarter', market_date) as date) as quarter_start,
    max(market_date) as market_date,
    round(max_by(ratio, market_date), 4) as ratio,
    round(max_by(percentile_since_base_pct, market_date), 1)
        as percentile_since_base_pct
from indices.index_pair_daily
where profile = 'house' and pair_id = 'small_over_large'
group by quarter_start
order by quarter_start desc
limit 8
