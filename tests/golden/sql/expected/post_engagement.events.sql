SELECT
  TRUE AS `__counted`,
  `action` AS `__v0`,
  CASE WHEN `action` = 'view' THEN TRUE ELSE FALSE END AS `__v1`,
  CASE WHEN `action` = 'like' THEN TRUE ELSE FALSE END AS `__v2`,
  `watch_ms` AS `__v3`,
  `language` AS `__v4`,
  `user_id` AS `__v5`,
  `__ts`,
  `__partition`,
  `__offset`
FROM `post_events`
