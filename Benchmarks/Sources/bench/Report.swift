/// What the standard set showed, as tables for people.
struct Report {
  let machine: Line
  /// One line a case, under its key; medians.
  let lines: [String: Line]
  let cases: [Case]

  var text: String {
    var parts = [heading]
    if traffic.count > 1 { parts.append(Table.render(traffic, leftColumns: [0, 8])) }
    if others.count > 0 { parts.append(Table.render(others, leftColumns: [0, 3])) }
    if rivals.count > 1 { parts.append(Table.render(rivals, leftColumns: [0, 1])) }
    return parts.joined(separator: "\n")
  }

  private var heading: String {
    let names = ["machine", "system", "swift", "commit", "date"].compactMap { machine.text($0) }
    let cores = Figures.whole(machine.number("cores"))
    let load = Figures.short(machine.number("loadavg"))
    return names.joined(separator: ", ") + "; \(cores) cores, load \(load), medians of "
      + "\(Figures.whole(machine.number("runs"))) runs"
      + (machine.flag("lo_shared") == true ? "; other processes' traffic is in the loopback bytes" : "")
      + "\n"
  }

  private var traffic: [[String]] {
    var rows = [
      [
        "case", "CPU µs", "p50 ms", "p99 ms", "lo bytes", "dup", "peak MiB", "lost", "best elsewhere",
        "ratio",
      ]
    ]
    for one in cases {
      guard case .traffic = one.shape, let line = lines[one.key] else { continue }
      if let fault = line.text("failed") {
        rows.append([one.title, "failed: \(fault)"])
        continue
      }
      let rival = one.rivals.first.flatMap { comparison(one, line, $0.figure, $0.1) }
      rows.append([
        one.title, Figures.short(line.number(one.costKey)), Figures.short(line.number("lat_ms_p50")),
        Figures.short(line.number("lat_ms_p99")), Figures.whole(line.number("lo_bytes_per_delivery")),
        Figures.short(line.number("dup_per_delivery")), Figures.whole(line.number("rss_mib")),
        Figures.whole(line.number("incomplete_msgs")),
        rival.map { named($0.name, $0.theirs, one) } ?? "",
        rival.map { Figures.ratio($0.ratio) } ?? "",
      ])
    }
    return rows
  }

  /// "go 256", or "go 11 p99 ms" where it is not the cost that is compared.
  private func named(_ name: String, _ figure: Double, _ one: Case) -> String {
    let key = one.rivals[0].figure
    return "\(name) \(Figures.short(figure))" + (key == one.costKey ? "" : " \(Report.names[key] ?? key)")
  }

  /// Figures as people call them.
  private static let names = [
    "cpu_us_per_delivery": "CPU µs", "both_cpu_us_per_msg": "CPU µs", "cpu_us_per_msg": "CPU µs",
    "lat_ms_p50": "p50 ms", "lat_ms_p99": "p99 ms", "lo_bytes_per_delivery": "lo bytes",
    "rss_mib": "peak MiB",
    "allocs_per_delivery": "allocations",
  ]

  private var others: [[String]] {
    cases.compactMap { one in
      guard case .figure(let key, let unit, let more) = one.shape, let line = lines[one.key] else {
        return nil
      }
      if let fault = line.text("failed") { return [one.title, "failed: \(fault)"] }
      let further = more.map { "\(Figures.short(line.number($0.key))) \($0.unit)" }
      return [one.title, Figures.short(line.number(key)), unit, further.joined(separator: ", ")]
    }
  }

  /// Every figure that has something to be compared with.
  private var rivals: [[String]] {
    var rows = [["against others", "figure", "here", "there", "ratio"]]
    for one in cases {
      guard let line = lines[one.key] else { continue }
      var title = one.title
      for (figure, rival) in one.rivals {
        guard let found = comparison(one, line, figure, rival) else { continue }
        rows.append([
          title, Report.names[figure] ?? figure, Figures.short(found.ours),
          "\(found.name) \(Figures.short(found.theirs))", Figures.ratio(found.ratio),
        ])
        title = ""
      }
    }
    if let line = lines["w1-1k-deaf"], let dropped = line.number("deaf_dropped_msgs") {
      let bound = Figures.whole(line.number("deaf_queue_bound_kib"))
      rows.append([
        "the peer that never reads", "messages dropped at its bound of \(bound) KiB", Figures.whole(dropped),
      ])
    }
    return rows
  }

  private func comparison(_ one: Case, _ line: Line, _ figure: String, _ rival: Case.Rival)
    -> (name: String, ours: Double, theirs: Double, ratio: Double)?
  {
    guard let ours = line.number(figure) else { return nil }
    switch rival {
    case .other(let name, let theirs): return (name, ours, theirs, ours / theirs)
    case .own(let key, let name):
      guard let theirs = lines[key]?.number(figure), theirs > 0 else { return nil }
      return (name, ours, theirs, ours / theirs)
    }
  }
}
