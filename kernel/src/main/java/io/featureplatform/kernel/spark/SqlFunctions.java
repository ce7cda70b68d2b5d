package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.row.FeatureMode;
import io.featureplatform.kernel.row.Texts;
import io.featureplatform.kernel.row.WholeNumbers;
import java.io.Serializable;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;
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
  /** A function on BIGINT that executors get. */
  private interface SerializableUnary extends UnaryOperator<Long>, Serializable {}

  /** One of two arguments. */
  private interface SerializableBinary extends BinaryOperator<Long>, Serializable {}

  /** {@code FP_FINITE}. */
  static final UDF1<Double, Double> FINITE =
      value -> value == null ? null : WholeNumbers.finite(value);

  /** {@code FP_FIXED}. */
  static final UDF2<Object, Integer, Long> FIXED =
      (value, scale) -> value == null ? null : WholeNumbers.fixed(value, scale);

  /** {@code FP_SORTABLE}. */
  static final UDF1<Double, Long> SORTABLE =
      value -> value == null ? null : (Long) WholeNumbers.sortable(value);

  /** {@code FP_UPPER}. */
  static final UDF1<String, String> UPPER = text -> text == null ? null : Texts.upper(text);

  /** {@code FP_LOWER}. */
  static final UDF1<String, String> LOWER = text -> text == null ? null : Texts.lower(text);

  /** {@code FP_COMPARE}. */
  static final UDF2<String, String, Integer> COMPARE =
      (left, right) -> left == null || right == null ? null : (Integer) Texts.compare(left, right);

  private SqlFunctions() {}

  /** Makes them known to a session, unless they are. */
  public static void register(SparkSession session) {
    if (session.catalog().functionExists("FP_FIXED")) {
      return;
    }
    UDFRegistration udf = session.udf();
    whole(udf, "FP_HIGH", WholeNumbers::high);
    whole(udf, "FP_NEGATE", WholeNumbers::negate);
    whole(udf, "FP_ABS", WholeNumbers::abs);
    whole(udf, "FP_ADD", WholeNumbers::add);
    whole(udf, "FP_SUBTRACT", WholeNumbers::subtract);
    whole(udf, "FP_MULTIPLY", WholeNumbers::multiply);
    udf.register("FP_UPPER", UPPER, DataTypes.StringType);
    udf.register("FP_LOWER", LOWER, DataTypes.StringType);
    udf.register("FP_COMPARE", COMPARE, DataTypes.IntegerType);
    udf.register("FP_FINITE", FINITE, DataTypes.DoubleType);
    udf.register("FP_FIXED", FIXED, DataTypes.LongType);
    udf.register("FP_SORTABLE", SORTABLE, DataTypes.LongType);
    register(udf, "INT", ItemsAggregator.INT, Encoders.LONG());
    register(udf, "REAL", ItemsAggregator.REAL, Encoders.DOUBLE());
    register(udf, "TEXT", ItemsAggregator.TEXT, Encoders.BINARY());
  }

  /** Registers a function on BIGINT; Spark hands constants over as INT. */
  private static void whole(UDFRegistration udf, String name, SerializableUnary function) {
    UDF1<Number, Long> called = value -> value == null ? null : function.apply(value.longValue());
    udf.register(name, called, DataTypes.LongType);
  }

  private static void whole(UDFRegistration udf, String name, SerializableBinary function) {
    UDF2<Number, Number, Long> called =
        (left, right) ->
            left == null || right == null
                ? null
                : function.apply(left.longValue(), right.longValue());
    udf.register(name, called, DataTypes.LongType);
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
