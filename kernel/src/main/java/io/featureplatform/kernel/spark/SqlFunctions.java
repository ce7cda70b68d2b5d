package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.row.FeatureMode;
import io.featureplatform.kernel.row.WholeNumbers;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.UDFRegistration;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/** Registers the functions that rendered SQL uses; each gives what Flink's of that name gives. */
public final class SqlFunctions {
  /** {@code FP_FINITE}. */
  static final UDF1<Double, Double> FINITE =
      value -> value == null ? null : WholeNumbers.finite(value);

  /** {@code FP_FIXED}. */
  static final UDF2<Object, Integer, Long> FIXED =
      (value, scale) -> value == null ? null : WholeNumbers.fixed(value, scale);

  /** {@code FP_SORTABLE}. */
  static final UDF1<Double, Long> SORTABLE =
      value -> value == null ? null : (Long) WholeNumbers.sortable(value);

  private SqlFunctions() {}

  /** Makes them known to a session, unless they are. */
  public static void register(SparkSession session) {
    if (session.catalog().functionExists("FP_FIXED")) {
      return;
    }
    UDFRegistration udf = session.udf();
    udf.register("FP_FINITE", FINITE, DataTypes.DoubleType);
    udf.register("FP_FIXED", FIXED, DataTypes.LongType);
    udf.register("FP_SORTABLE", SORTABLE, DataTypes.LongType);
    register(udf, "INT", ItemsAggregator.INT, Encoders.LONG());
    register(udf, "REAL", ItemsAggregator.REAL, Encoders.DOUBLE());
    register(udf, "TEXT", ItemsAggregator.TEXT, Encoders.BINARY());
  }

  private static <V> void register(
      UDFRegistration udf, String carrier, ItemsAggregator.Adder<V> adder, Encoder<V> value) {
    for (FeatureMode mode : new FeatureMode[] {FeatureMode.FIRST, FeatureMode.LAST}) {
      var unused =
          udf.register(
              "FP_" + mode + "_" + carrier,
              functions.udaf(
                  new ItemsAggregator.One<>(mode, adder),
                  Encoders.tuple(value, Encoders.LONG(), Encoders.INT(), Encoders.LONG())));
    }
    var unused =
        udf.register(
            "FP_LAST_N_" + carrier,
            functions.udaf(
                new ItemsAggregator.Many<>(adder),
                Encoders.tuple(
                    value, Encoders.INT(), Encoders.LONG(), Encoders.INT(), Encoders.LONG())));
  }
}
