package io.featureplatform.kernel.event;

import java.io.Serializable;

/**
 * One declared column of a source.
 *
 * @param precision digits of a DECIMAL, at most 18; 0 for the others
 * @param scale digits of a DECIMAL after the point; 0 for the others
 */
public record SourceColumn(String name, ColumnType type, int precision, int scale)
    implements Serializable {}
