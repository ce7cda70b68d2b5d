package io.featureplatform.kernel.row;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Map;

/**
 * What both engines do to texts: {@code FP_UPPER}, {@code FP_LOWER} and {@code FP_COMPARE}. Neither
 * engine's version of Unicode, nor a locale, nor the encoding that an engine keeps a text in has a
 * part in it.
 */
public final class Texts {
  private static final String TABLE = "letters.txt";
  private static final Map<Integer, Integer> UPPER = new HashMap<>();
  private static final Map<Integer, Integer> LOWER = new HashMap<>();

  static {
    try (InputStream stream = Texts.class.getResourceAsStream(TABLE);
        BufferedReader lines = new BufferedReader(new InputStreamReader(stream, US_ASCII))) {
      lines.lines().filter(line -> !line.startsWith("#")).forEach(Texts::read);
    } catch (IOException e) {
      throw new UncheckedIOException(TABLE, e);
    }
  }

  private Texts() {}

  private static void read(String line) {
    String[] parts = line.split(" ");
    Map<Integer, Integer> letters = parts[0].equals("upper") ? UPPER : LOWER;
    int last = Integer.parseInt(parts[2], 16);
    int added = Integer.parseInt(parts[4], 16);
    for (int letter = Integer.parseInt(parts[1], 16);
        letter <= last;
        letter += Integer.parseInt(parts[3])) {
      letters.put(letter, letter + added);
    }
  }

  /** Returns a text in capitals, letter by letter: none becomes two. Hot path. */
  public static String upper(String text) {
    for (int i = 0; i < text.length(); i++) {
      char letter = text.charAt(i);
      if (letter >= 'a' && (letter <= 'z' || letter > 0x7F)) {
        return mapped(text, i, UPPER, 'a', 'z', 'A' - 'a');
      }
    }
    return text;
  }

  /** Returns a text in small letters, letter by letter. Hot path. */
  public static String lower(String text) {
    for (int i = 0; i < text.length(); i++) {
      char letter = text.charAt(i);
      if (letter >= 'A' && (letter <= 'Z' || letter > 0x7F)) {
        return mapped(text, i, LOWER, 'A', 'Z', 'a' - 'A');
      }
    }
    return text;
  }

  private static String mapped(
      String text, int from, Map<Integer, Integer> letters, char first, char last, int added) {
    char[] made = text.toCharArray();
    for (int i = from; i < made.length; i++) {
      char letter = made[i];
      if (letter > 0x7F) {
        return mappedAll(text, letters, first, last, added);
      }
      if (letter >= first && letter <= last) {
        made[i] = (char) (letter + added);
      }
    }
    return new String(made);
  }

  private static String mappedAll(
      String text, Map<Integer, Integer> letters, char first, char last, int added) {
    StringBuilder made = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      int letter = text.codePointAt(i);
      i += Character.charCount(letter);
      if (letter > 0x7F) {
        made.appendCodePoint(letters.getOrDefault(letter, letter));
      } else {
        made.append((char) (letter >= first && letter <= last ? letter + added : letter));
      }
    }
    return made.toString();
  }

  /** Returns below, at or above 0: texts in the order of their code points, as of their UTF-8. */
  public static int compare(String left, String right) {
    int length = Math.min(left.length(), right.length());
    for (int i = 0; i < length; i++) {
      char one = left.charAt(i);
      char other = right.charAt(i);
      if (one != other) {
        // Halves of pairs stand for what comes after all that is one char.
        boolean oneOfPair = Character.isSurrogate(one);
        boolean otherOfPair = Character.isSurrogate(other);
        return oneOfPair == otherOfPair ? one - other : oneOfPair ? 1 : -1;
      }
    }
    return Integer.compare(left.length(), right.length());
  }
}
