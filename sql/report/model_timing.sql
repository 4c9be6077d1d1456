-- Grain: one row per model of this build, the slowest twenty.
-- Where the build's time went.
select
    model,
    seconds,
    row_count
from quality.model_timing
where run_id = (select about.run_id from main.about as about)
order by seconds desc, model asc
limit 20
