package io.featureplatform.kernel.flink.sql;

import io.featureplatform.kernel.row.FeatureMode;
import org.apache.flink.table.api.TableEnvironment;

/** Registers the functions that rendered SQL uses. */
public final class SqlFunctions {
  private SqlFunctions() {}

  /** Makes them known to a table environment. */
  public static void register(TableEnvironment tables) {
    tables.createTemporarySystemFunction("FP_ABS", new Whole.Abs());
    tables.createTemporarySystemFunction("FP_ADD", new Whole.Add());
    tables.createTemporarySystemFunction("FP_COMPARE", new TextFunctions.Compare());
    tables.createTemporarySystemFunction("FP_FINITE", new Finite());
    tables.createTemporarySystemFunction("FP_FIXED", new FixedPoint());
    tables.createTemporarySystemFunction("FP_HIGH", new Whole.High());
    tables.createTemporarySystemFunction("FP_LOWER", new TextFunctions.Lower());
    tables.createTemporarySystemFunction("FP_MULTIPLY", new Whole.Multiply());
    tables.createTemporarySystemFunction("FP_NEGATE", new Whole.Negate());
    tables.createTemporarySystemFunction("FP_SORTABLE", new Sortable());
    tables.createTemporarySystemFunction("FP_SUBTRACT", new Whole.Subtract());
    tables.createTemporarySystemFunction("FP_UPPER", new TextFunctions.Upper());
    for (FeatureMode mode : new FeatureMode[] {FeatureMode.FIRST, FeatureMode.LAST}) {
      String name = "FP_" + mode;
      tables.createTemporarySystemFunction(name + "_INT", new ItemsFunction.OneInt(mode));
      tables.createTemporarySystemFunction(name + "_REAL", new ItemsFunction.OneReal(mode));
      tables.createTemporarySystemFunction(name + "_TEXT", new ItemsFunction.OneText(mode));
    }
    tables.createTemporarySystemFunction("FP_LAST_N_INT", new ItemsFunction.ManyInt());
    tables.createTemporarySystemFunction("FP_LAST_N_REAL", new ItemsFunction.ManyReal());
    tables.createTemporarySystemFunction("FP_LAST_N_TEXT", new ItemsFunction.ManyText());
  }
}
