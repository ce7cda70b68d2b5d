package io.featureplatform.kernel.event;

/**
 * Why an event is refused; {@link #code()} is what the dead letter's {@code reason} header says.
 */
public enum Reason {
  /** Not one JSON value: garbage, cut off, or something follows it. */
  NOT_JSON,
  /** JSON, but not an object. */
  NOT_AN_OBJECT,
  /** A declared column holds a JSON value of another type. */
  WRONG_TYPE,
  /** The entity column is absent or null. */
  MISSING_ENTITY,
  /** The entity is empty, longer than 1024 bytes of UTF-8, or holds NUL. */
  BAD_ENTITY,
  /** The event time column is absent or null. */
  MISSING_EVENT_TIME,
  /** The event time is none, or not one of the years 1970 to 9999. */
  BAD_EVENT_TIME,
  /** The event time is later than the record's timestamp plus the source's {@code max_future}. */
  FUTURE_EVENT_TIME,
  /** The event time is earlier than the record's timestamp minus the source's {@code max_past}. */
  EVENT_TIME_TOO_OLD,
  /** A number does not fit its column's type. */
  OUT_OF_RANGE,
  /** A DOUBLE or DECIMAL that the feature set sums has more digits than a sum's scale leaves. */
  BEYOND_SUM,
  /** The event has more bytes than the source allows. */
  TOO_LARGE,
  /** Objects and arrays are nested deeper than the parser follows. */
  TOO_DEEP,
  /** A name occurs twice in one object. */
  DUPLICATE_KEY,
  /** A string holds NUL or is not Unicode text. */
  BAD_TEXT;

  private final String code = name().toLowerCase(java.util.Locale.ROOT);

  /** Returns whether another entity column, in another feature set, may take the same event. */
  public boolean isOfEntity() {
    return this == MISSING_ENTITY || this == BAD_ENTITY;
  }

  /** Returns whether another feature set of the same source may take the same event. */
  public boolean isOfFeatureSet() {
    return isOfEntity() || this == BEYOND_SUM;
  }

  /** The stable code, such as {@code not_json}. */
  public String code() {
    return code;
  }
}
