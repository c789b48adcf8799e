-- How much was said on each day (of China).
-- Parameters: 1 first day, 2 last day (both included).
WITH asked AS (
  SELECT CAST(? AS date) AS first_day, CAST(? AS date) AS last_day
),
copies AS (
  SELECT m.*, a.first_day, a.last_day,
    row_number() OVER (
      PARTITION BY regexp_extract(m."$path", '([0-9]{20})', 1), m."position"
      ORDER BY COALESCE(TRY_CAST(regexp_extract(m."$path", '-r([0-9]+)[.]parquet$', 1) AS integer), 0)
    ) AS copy
  FROM messages m CROSS JOIN asked a
  WHERE m.outcome = 'ok'
    AND m.dt >= CAST(CAST(a.first_day - INTERVAL '1' DAY AS date) AS varchar)
    AND m.dt <= CAST(CAST(a.last_day + INTERVAL '31' DAY AS date) AS varchar)
)
SELECT CAST(msgtime + INTERVAL '8' HOUR AS date) AS day_in_china, count(*) AS messages,
  count(DISTINCT from_id) AS senders, count(DISTINCT conversation) AS conversations,
  count_if(action = 'recall') AS recalls, count_if(chat_kind = 'external') AS with_outsiders,
  sum(cardinality(media)) AS files
FROM copies
WHERE copy = 1
  AND msgtime >= CAST(first_day AS timestamp) - INTERVAL '8' HOUR
  AND msgtime < CAST(last_day AS timestamp) + INTERVAL '16' HOUR
GROUP BY CAST(msgtime + INTERVAL '8' HOUR AS date)
ORDER BY 1
