SELECT
  TRUE AS `__counted`,
  `__ts`,
  `__partition`,
  `__offset`
FROM `post_events`
