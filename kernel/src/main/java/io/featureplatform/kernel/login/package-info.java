/** How clients of Kafka log in, in every engine. */
package io.featureplatform.kernel.login;
