package io.featureplatform.kernel.flink.intake;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.featureplatform.kernel.event.Reason;
import io.featureplatform.kernel.store.Epoch;
import java.util.Arrays;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.Headers;
import org.apache.flink.table.data.RowData;

/**
 * An event that is refused, and why.
 *
 * @param raw the record, as {@link RawRecords} has it
 * @param epoch in which it was read; an abandoned epoch's letters do not count
 */
record Letter(RowData raw, Reason reason, String detail, Epoch epoch) {
  /** How much of an event a letter holds: with key and headers less than a broker's usual limit. */
  static final int VALUE_BYTES_MAX = 900_000;

  /** A longer key is left out. */
  static final int KEY_BYTES_MAX = 65_536;

  private static final int DETAIL_LENGTH_MAX = 1_000;

  /**
   * Where letters go and whose they are.
   *
   * @param topic of the letters
   */
  record Address(String featureset, int generation, String sourceTopic, String topic) {}

  /**
   * Returns the letter as a record of the dead letter topic: the original key and value, and
   * headers that say why and where they stood. {@code truncated} is the value's original size,
   * {@code key_truncated} the key's, where the record holds less.
   *
   * @param whole whether key and value come along, as far as they may
   */
  ProducerRecord<byte[], byte[]> record(Address to, boolean whole) {
    byte[] key = RawRecords.bytes(raw, RawRecords.KEY);
    byte[] value = RawRecords.bytes(raw, RawRecords.VALUE);
    byte[] sentKey = kept(key, KEY_BYTES_MAX, whole) ? key : null;
    byte[] sentValue = kept(value, VALUE_BYTES_MAX, whole) ? value : null;
    if (value != null && sentValue == null && whole) {
      sentValue = Arrays.copyOf(value, VALUE_BYTES_MAX);
    }
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(to.topic(), sentKey, sentValue);
    Headers headers = record.headers();
    add(headers, "reason", reason.code());
    add(headers, "detail", detail.substring(0, Math.min(detail.length(), DETAIL_LENGTH_MAX)));
    add(headers, "featureset", to.featureset());
    add(headers, "generation", Integer.toString(to.generation()));
    add(headers, "epoch", epoch.attempt() + "/" + epoch.checkpointId());
    add(headers, "source_topic", to.sourceTopic());
    add(headers, "partition", Integer.toString(raw.getInt(RawRecords.PARTITION)));
    add(headers, "offset", Long.toString(raw.getLong(RawRecords.OFFSET)));
    add(headers, "record_timestamp", Long.toString(raw.getLong(RawRecords.TIMESTAMP)));
    if (value != sentValue) {
      add(headers, "truncated", Integer.toString(value.length));
    }
    if (key != sentKey) {
      add(headers, "key_truncated", Integer.toString(key.length));
    }
    return record;
  }

  private static boolean kept(byte[] bytes, int max, boolean whole) {
    return bytes == null || (whole && bytes.length <= max);
  }

  private static void add(Headers headers, String name, String value) {
    headers.add(name, value.getBytes(UTF_8));
  }
}
