package io.featureplatform.kernel.row;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TextsTest {
  private static final Set<Integer> YOUNGER_CAPITALS = Set.of(0x19B, 0x264);

  /** Letters go one by one, whatever a language or a longer spelling would want. */
  @ParameterizedTest
  @CsvSource({
    "straße, STRAßE, straße",
    "i, I, i",
    "İ, İ, i",
    "ı, I, ı",
    "éÉ, ÉÉ, éé",
    "ŉ, ŉ, ŉ",
    "ΑΣ, ΑΣ, ας",
    "ɤ, \uA7CB, ɤ",
    "\uD801\uDC28, \uD801\uDC00, \uD801\uDC28",
    "'a {|}~Z', 'A {|}~Z', 'a {|}~z'",
  })
  void mapsLetters(String text, String upper, String lower) {
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.forLanguageTag("tr"));
      assertEquals(upper, Texts.upper(text));
      assertEquals(lower.replace('ς', 'σ'), Texts.lower(text));
    } finally {
      Locale.setDefault(before);
    }
  }

  /** The table says of every letter that this Java knows what Java says, younger capitals aside. */
  @Test
  void knowsEveryLetter() {
    for (int letter = 0; letter <= Character.MAX_CODE_POINT; letter++) {
      if (Character.isDefined(letter) && !Character.isSurrogate((char) letter)) {
        String text = Character.toString(letter);
        assertEquals(Character.toString(Character.toLowerCase(letter)), Texts.lower(text));
        if (!YOUNGER_CAPITALS.contains(letter)) {
          assertEquals(Character.toString(Character.toUpperCase(letter)), Texts.upper(text));
        }
      }
    }
  }

  @Test
  void leavesATextAloneThatHasNoSuchLetter() {
    String text = "VIEW 1!";
    assertSame(text, Texts.upper(text));
    String small = "view 1!";
    assertSame(small, Texts.lower(small));
  }

  /** Texts stand in the order of their UTF-8, as those of events do in both engines. */
  @Property
  void ordersAsBytes(@ForAll("texts") String left, @ForAll("texts") String right) {
    int expected = Arrays.compareUnsigned(left.getBytes(UTF_8), right.getBytes(UTF_8));
    assertEquals(Integer.signum(expected), Integer.signum(Texts.compare(left, right)));
  }

  @Provide
  Arbitrary<String> texts() {
    return Arbitraries.of("", "a", "z", "\uE000", "\uFFFD", "\uD83C\uDF89", "\u00DF")
        .list()
        .ofMaxSize(4)
        .map(parts -> String.join("", parts));
  }
}
