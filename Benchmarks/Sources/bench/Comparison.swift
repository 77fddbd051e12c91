/// Two results of the standard set, beside each other: what is committed, and what was measured now.
struct Comparison {
  let committed: [Line]
  let now: [Line]

  /// Figures that are compared; less is better in all of them.
  private static let figures = [
    "cpu_us_per_delivery", "both_cpu_us_per_msg", "cpu_us_per_msg", "lat_ms_p50", "lat_ms_p99",
    "lo_bytes_per_delivery", "dup_per_delivery", "allocs_per_delivery", "rss_mib", "kib_per_connection",
    "start_ms", "wall_s", "incomplete_msgs", "incomplete_deliveries", "p99_ratio", "rss_rise_mib",
  ]
  /// Wall time says little where the run waits by its plan.
  private static let wallTimeModes: Set = ["simulate"]
  /// More than this share worse is marked.
  private static let tolerance = 0.1

  /// The table, and how many figures are worse.
  var result: (text: String, worse: Int) {
    var rows = [["case", "figure", "committed", "now", "ratio", ""]]
    var worse = 0
    for line in now where line.text("case") != "machine" {
      guard let key = line.text("case") else { continue }
      guard let old = committed.first(where: { $0.text("case") == key }) else {
        rows.append([key, "not committed yet"])
        continue
      }
      if let fault = line.text("failed") {
        worse += 1
        rows.append([key, "failed: \(fault)", "", "", "", "WORSE"])
        continue
      }
      var name = key
      for figure in Comparison.figures {
        if figure == "wall_s", !Comparison.wallTimeModes.contains(line.text("mode") ?? "") { continue }
        guard let before = old.number(figure), let after = line.number(figure) else { continue }
        if before == 0, after == 0 { continue }
        let isWorse = after > before * (1 + Comparison.tolerance)
        let isBetter = after < before * (1 - Comparison.tolerance)
        if isWorse { worse += 1 }
        rows.append([
          name, figure, Figures.short(before), Figures.short(after),
          before > 0 ? Figures.ratio(after / before) : "–", isWorse ? "WORSE" : isBetter ? "better" : "",
        ])
        name = ""
      }
    }
    let verdict = worse == 0 ? "Nothing is" : worse == 1 ? "One figure is" : "\(worse) figures are"
    return (
      heading + Table.render(rows, leftColumns: [0, 1, 5])
        + "\n\(verdict) more than 10 % worse than committed.", worse
    )
  }

  private var heading: String {
    func text(_ lines: [Line]) -> String {
      guard let line = lines.first(where: { $0.text("case") == "machine" }) else { return "unknown" }
      let names = ["machine", "system", "swift", "commit", "date"].compactMap { line.text($0) }
      return names.joined(separator: ", ")
        + ", \(Figures.whole(line.number("cores"))) cores, load \(Figures.short(line.number("loadavg")))"
    }
    return "committed: \(text(committed))\nnow:       \(text(now))\n\n"
  }
}
