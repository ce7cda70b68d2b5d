package io.featureplatform.kernel.flink;

import java.util.*;

final class ModelProbe {
  public static void main(String[] args) {
    int n = Integer.parseInt(args[0]);
    int steps = Integer.parseInt(args[1]);
    Map<String, ModelWorld.Config> configs = new LinkedHashMap<>();
    configs.put("CALM", Model.CALM);
    configs.put("FORGETFUL", Model.FORGETFUL);
    configs.put("SHORT_UNDO", Model.SHORT_UNDO);
    configs.put("SHORT_TILES", Model.SHORT_TILES);
    List<Broken> which =
        args.length > 3
            ? Arrays.stream(args).skip(3).map(Broken::valueOf).toList()
            : List.of(Broken.values());
    for (Broken broken : which) {
      for (var config : configs.entrySet()) {
        if (!args[2].equals("all") && !config.getKey().equals(args[2])) continue;
        long t = System.nanoTime();
        int wrong = 0, asked = 0;
        String told = "";
        List<ModelStep> least = null;
        for (int seed = 0; seed < n; seed++) {
          List<ModelStep> schedule = ModelStep.schedule(new Random(seed), steps);
          Model.Outcome outcome = Model.run(config.getValue(), broken, schedule);
          if (outcome.end() == Model.End.ASKED) asked++;
          if (outcome.end() == Model.End.WRONG) {
            wrong++;
            if (least == null) {
              least = schedule;
              told = outcome.told();
            }
          }
        }
        System.out.printf(
            "%-28s %-12s wrong %d / %d, asked %d, %.1f s%n",
            broken, config.getKey(), wrong, n, asked, (System.nanoTime() - t) / 1e9);
        if (least != null && broken == Broken.NOTHING) {
          List<ModelStep> now = new ArrayList<>(least);
          for (int i = now.size() - 1; i >= 0; i--) {
            List<ModelStep> fewer = new ArrayList<>(now);
            fewer.remove(i);
            if (Model.run(config.getValue(), broken, fewer).end() == Model.End.WRONG) {
              now = fewer;
            }
          }
          System.out.println(
              "  " + now + "\n  " + Model.run(config.getValue(), broken, now).told());
          if (args.length > 4 || n < 0) {}
          try {
            ModelWorld w = new ModelWorld(config.getValue(), broken);
            now.forEach(w::step);
            w.judge();
          } catch (RuntimeException e) {
            if (!(e instanceof ModelWorld.ViolationException)) e.printStackTrace(System.out);
          }
        }
      }
    }
  }
}
