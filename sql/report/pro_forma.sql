-- Grain: one row per index_id and coin_id of the house profile, of the coming review.
-- Who joins, who leaves and who stays once the review is in effect, those who come and
-- go first, then by how much the weight changes.
with coming as (
    select * from indices.pro_forma_constituent
    where profile = 'house'
),

coins as (
    select * from staging.coin
),

final as (
    select
        coming.index_id,
        coming.coin_id,
        coins.name as coin_name,
        coins.symbol,
        coming.change,
        coming.reason,
        coming.candidate_rank,
        coming.weight_in_force_fraction,
        coming.weight_fraction,
        coming.weight_change_fraction,
        coming.effective_date,
        coming.cutoff_date,
        coming.weighting_date,
        coming.valuation_date
    from coming
    left join coins on coming.coin_id = coins.coin_id
    order by
        coming.index_id asc,
        case coming.change when 'joins' then 1 when 'leaves' then 2 else 3 end asc,
        abs(coming.weight_change_fraction) desc,
        coming.coin_id asc
)

select * from final
