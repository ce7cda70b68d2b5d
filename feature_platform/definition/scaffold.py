"""Writes definitions to start from: commented, and valid as they are."""

from feature_platform.definition.featureset import ENTITY_TYPES
from feature_platform.definition.model import Source
from feature_platform.definition.names import RESERVED
from feature_platform.definition.schema import FILE
from feature_platform.errors import CallerError

_SOURCE = """\
# yaml-language-server: $schema=../{schema}
# A source: a topic and the columns of its events, each event one JSON object.
# Fields that are not listed here are ignored; a listed field that is missing is NULL.

source: {name}
description: What happens, and who sends it.
topic: {name}              # in Kafka or Redpanda
format: json
event_time: ts             # the column that says when it happened
event_time_unit: ms        # unit of a numeric event time: s, ms, us or ns
max_future: 5m             # later than the record's timestamp by more than this: dead letter

# Types: BIGINT, INT, DOUBLE, 'DECIMAL(10,2)', STRING, BOOLEAN, TIMESTAMP.
# A TIMESTAMP is a number since 1970 or an ISO-8601 string, '2026-01-31T15:00:00Z'.
columns:
  user_id: STRING
  action: STRING
  amount: BIGINT
  ts: TIMESTAMP
"""

_FEATURESET = """\
# yaml-language-server: $schema={schema}
# A feature set: features of one kind of thing, its entity, computed by one query over one source.
# Check it with `fp validate`, see what deploying it would do with `fp plan {name}`.

featureset: {name}
description: What these features say about a {entity}.
owner: your_team
entity: {entity}
source: {source}

# One SELECT, grouped by the entity. Windows are not part of the query; define them below.
# Aggregates: COUNT, SUM, AVG, MIN, MAX, FIRST_VALUE, LAST_VALUE, LAST_N(x, n); each may be followed
# by FILTER (WHERE ...). For what expressions can use, see docs/definitions.md.
sql: |
  SELECT {entity},
{items}
  FROM {source}
  GROUP BY {entity}

# One entry per aggregate. Counters and extremes have windows, a lifetime, or both;
# properties (FIRST_VALUE, LAST_VALUE, LAST_N) are `latest`. `scale` is the number of digits that
# a SUM or AVG of DOUBLE or DECIMAL keeps after the decimal point.
features:
{features}

# Everything below is optional; these are the defaults.
# grid: [1m, 5m, 30m, 3h, 1d, 5d]   # tile lengths, each a multiple of the one before
settings:
  parallelism: 1            # tasks of the job
  checkpoint_interval: 30s  # how far a crash sets the job back
  flush_interval: 1s        # how long a change may take to reach the store
  state_ttl: 2h             # an entity without events leaves the job's state after this
  sql_state_ttl: 10m        # the same for the state of the SQL query
  keep: 1h                  # how far back reads at a past time can go
  on_change: forward        # a changed query counts from now on; rebuild: recompute history
"""

_NAME_LENGTH_MAX = 40
"""Longer columns leave no room for a prefix in the name of a feature."""


def scaffold_source(name: str) -> str:
    """Return the YAML of a source to start from."""
    return _SOURCE.format(name=name, schema=FILE)


def scaffold_featureset(name: str, source: Source) -> str:
    """Return the YAML of a feature set over a source.

    Raises:
        CallerError: No column of the source can be an entity.
    """
    usable = [
        (column, kind.name)
        for column, kind in source.columns
        if column.lower() not in RESERVED
        and column != source.event_time
        and len(column) <= _NAME_LENGTH_MAX
    ]
    entity = next((column for column, kind in usable if kind in ENTITY_TYPES), None)
    if entity is None:
        kinds = ", ".join(ENTITY_TYPES)
        msg = f"source `{source.name}` has no column of type {kinds} to be the entity"
        raise CallerError(msg)
    items = ["COUNT(*) AS events"]
    features = ["  events: {windows: [30m, 1d], lifetime: true, description: How often.}"]
    number = next(
        (column for column, kind in usable if kind == "BIGINT" and column != entity), None
    )
    if number is not None:
        items.append(f"SUM({number}) AS total_{number.lower()}")
        features.append(f"  total_{number.lower()}: {{windows: [1d], lifetime: true}}")
    text = next((column for column, kind in usable if kind == "STRING" and column != entity), None)
    if text is not None:
        items += [f"LAST_VALUE({text}) AS last_{text.lower()}"]
        features += [f"  last_{text.lower()}: latest"]
    return _FEATURESET.format(
        name=name,
        schema=FILE,
        source=source.name,
        entity=entity,
        items=",\n".join(f"         {item}" for item in items),
        features="\n".join(features),
    )
