SELECT
  CASE WHEN `__counted` AND `verb` LIKE '%' THEN TRUE ELSE FALSE END AS `__counted`,
  CASE WHEN `__counted` AND `verb` LIKE '%' AND `is_long` THEN TRUE ELSE FALSE END AS `__v0`,
  `verb` AS `__v1`,
  `__ts`,
  `__partition`,
  `__offset`
FROM (
  SELECT
    `user_id`,
    `is_long`,
    `verb`,
    CASE WHEN `__counted` AND `verb` <> 'skip' THEN TRUE ELSE FALSE END AS `__counted`,
    `__ts`,
    `__partition`,
    `__offset`
  FROM (
    SELECT
      `user_id`,
      `verb`,
      `ms`,
      `ms` > 10000 AS `is_long`,
      CASE WHEN `__counted` AND `ms` IS NOT NULL THEN TRUE ELSE FALSE END AS `__counted`,
      `__ts`,
      `__partition`,
      `__offset`
    FROM (
      SELECT
        `user_id`,
        FP_LOWER(`action`) AS `verb`,
        `watch_ms` AS `ms`,
        `language`,
        CASE WHEN `action` IS NOT NULL THEN TRUE ELSE FALSE END AS `__counted`,
        `__ts`,
        `__partition`,
        `__offset`
      FROM `post_events`
    )
  )
)
