package io.featureplatform.kernel.store;

/**
 * A row as read back.
 *
 * @param payload its bytes; the reader must not change them
 * @param writeTime who wrote it and when, as a {@link WriteTime}
 */
@SuppressWarnings("ArrayRecordComponent")
public record StoredRow(byte[] payload, long writeTime) {}
