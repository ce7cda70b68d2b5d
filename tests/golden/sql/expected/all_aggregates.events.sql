SELECT
  TRUE AS `__counted`,
  `language` AS `__v0`,
  `watch_ms` AS `__v1`,
  `post_id` AS `__v2`,
  `score` AS `__v3`,
  CAST(`price` AS DOUBLE) AS `__v4`,
  `ts` AS `__v5`,
  `paid` AS `__v6`,
  CASE WHEN `paid` THEN TRUE ELSE FALSE END AS `__v7`,
  `__ts`,
  `__partition`,
  `__offset`
FROM `post_events`
