package io.featureplatform.kernel.row;

/**
 * One tile's payload, {@code TileRow} of row.proto.
 *
 * @param counterIds feature ids of the counters, ascending
 * @param counters one int64 for each counter id; an additive counter of 0 is left out by its owner
 * @param featureIds ids of the features in the lazy map, ascending
 * @param features for each feature id the encoded {@code FeatureValue}, never decoded here
 */
@SuppressWarnings("ArrayRecordComponent")
public record TileRow(int[] counterIds, long[] counters, int[] featureIds, byte[][] features) {}
