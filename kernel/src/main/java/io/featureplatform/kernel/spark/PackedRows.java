package io.featureplatform.kernel.spark;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * One row for each entity from the rows of {@link EntityRows}: what is read a row at a time outside
 * of the JVM costs more than computing it.
 *
 * <p>For each of the entity's rows: level, start and size of the payload as 4, 8 and 4 bytes,
 * big-endian, then the payload. {@code EntityRows} of {@code engines/spark_facts.py} reads it.
 */
final class PackedRows implements Iterator<InternalRow> {
  private final Iterator<InternalRow> rows;
  private InternalRow next;

  PackedRows(Iterator<InternalRow> rows) {
    this.rows = rows;
    advance();
  }

  @Override
  public boolean hasNext() {
    return next != null;
  }

  @Override
  public InternalRow next() {
    if (next == null) {
      throw new NoSuchElementException();
    }
    UTF8String entity = next.getUTF8String(0);
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(packed);
    while (next != null && next.getUTF8String(0).equals(entity)) {
      add(out, next);
      advance();
    }
    return new GenericInternalRow(new Object[] {entity, packed.toByteArray()});
  }

  private static void add(DataOutputStream out, InternalRow row) {
    byte[] payload = row.getBinary(3);
    try {
      out.writeInt(row.getInt(1));
      out.writeLong(row.getLong(2));
      out.writeInt(payload.length);
      out.write(payload);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory alone is written
    }
  }

  private void advance() {
    next = rows.hasNext() ? rows.next() : null;
  }
}
