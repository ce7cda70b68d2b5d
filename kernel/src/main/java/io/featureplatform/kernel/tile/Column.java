package io.featureplatform.kernel.tile;

import io.featureplatform.kernel.row.Carrier;
import java.io.Serializable;
import java.util.List;

/**
 * One stored column: a partial the kernel keeps under an id that is never used again.
 *
 * @param index position in the layout's columns, and in a command's values
 * @param id feature id in the rows
 * @param name column name in the SQL result
 * @param kind how changes are applied
 * @param carrier form of the values of FIRST, LAST, LAST_N
 * @param n how many items LAST_N keeps; 0 for the others
 * @param levels levels whose tiles hold this column, finest first; without lifetime
 * @param lifetime whether the lifetime tile holds it
 */
public record Column(
    int index,
    int id,
    String name,
    Kind kind,
    Carrier carrier,
    int n,
    List<Integer> levels,
    boolean lifetime)
    implements Serializable {}
