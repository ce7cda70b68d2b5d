package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.tile.Changes;
import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Layout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.flink.types.RowKind;

/**
 * The commands since the last flush, added up per entity. Mutable; in heap alone, so it must be
 * empty when a barrier passes.
 */
final class Bundle {
  /**
   * One entity and what happened to it.
   *
   * @param commands each alone, to be logged; null if nobody watches the entity
   */
  record Entry(String entity, Changes changes, Commands commands) {}

  /**
   * What a flush takes.
   *
   * @param commands how many commands arrived since the last one
   */
  record Taken(int commands, List<Entry> entries) {}

  private static final class Pending {
    final Changes changes;
    final Commands commands;
    int halfUpdates;

    Pending(Changes changes, Commands commands) {
      this.changes = changes;
      this.commands = commands;
    }
  }

  private final Layout layout;
  private final Changelog changelog;
  private final Map<String, Pending> entities = new HashMap<>();
  private int commands;

  Bundle(Layout layout, Changelog changelog) {
    this.layout = layout;
    this.changelog = changelog;
  }

  /** Returns how many commands were added since anything was last taken. */
  int commands() {
    return commands;
  }

  /** Adds a command. Hot path. */
  void add(String entity, RowKind kind, long tileStartMs, CommandValues values) {
    Pending pending = entities.get(entity);
    if (pending == null) {
      pending = new Pending(new Changes(layout), changelog.begin(entity));
      entities.put(entity, pending);
    }
    commands++;
    boolean plus = kind == RowKind.INSERT || kind == RowKind.UPDATE_AFTER;
    if (kind == RowKind.UPDATE_BEFORE) {
      pending.halfUpdates++;
    } else if (kind == RowKind.UPDATE_AFTER && pending.halfUpdates > 0) {
      pending.halfUpdates--;
    }
    pending.changes.add(plus, tileStartMs, values);
    if (pending.commands != null) {
      changelog.add(pending.commands, kind, tileStartMs, values);
    }
  }

  /** Takes everything: at a barrier both halves of every update have arrived. */
  Taken takeAll() {
    return take(true);
  }

  /**
   * Takes the entities that are not between {@code -U} and {@code +U}, lest a reader see half an
   * update; the others stay.
   */
  Taken takeWhole() {
    return take(false);
  }

  private Taken take(boolean halfToo) {
    List<Entry> entries = new ArrayList<>(entities.size());
    Iterator<Map.Entry<String, Pending>> each = entities.entrySet().iterator();
    while (each.hasNext()) {
      Map.Entry<String, Pending> entity = each.next();
      if (halfToo || entity.getValue().halfUpdates == 0) {
        entries.add(
            new Entry(entity.getKey(), entity.getValue().changes, entity.getValue().commands));
        each.remove();
      }
    }
    int taken = commands;
    commands = 0;
    return new Taken(taken, entries);
  }
}
