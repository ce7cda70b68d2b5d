/**
 * The bytes of the store: canonical encoder and decoder of {@code feature_platform/rows/row.proto}.
 *
 * <p>Equal content has equal bytes, whoever writes it. Protobuf libraries do not promise that, so
 * the codec is our own; any protobuf library reads what it writes.
 */
package io.featureplatform.kernel.row;
