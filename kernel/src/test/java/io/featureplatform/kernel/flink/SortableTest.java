package io.featureplatform.kernel.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class SortableTest {
  /** Two doubles stand in the same order as their integers. */
  @Property
  void keepsOrder(@ForAll double left, @ForAll double right) {
    assertEquals(
        Integer.signum(Double.compare(left + 0.0, right + 0.0)),
        Integer.signum(Long.compare(Sortable.of(left), Sortable.of(right))));
  }

  /** The two zeros are one. */
  @Test
  void zerosAreEqual() {
    assertEquals(Sortable.of(0.0), Sortable.of(-0.0));
    assertEquals(0, Sortable.of(0.0));
  }
}
