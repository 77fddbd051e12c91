import Foundation

/// Aligned columns for people: the first to the left, the others to the right.
enum Table {
  static func render(_ rows: [[String]], leftColumns: Set<Int> = [0]) -> String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    let lines = rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return leftColumns.contains(column) ? cell + padding : padding + cell
      }
      let line = cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// Numbers for people.
enum Figures {
  /// Three digits or so.
  static func short(_ number: Double?) -> String {
    guard let number, number.isFinite else { return "–" }
    switch abs(number) {
    case 0: return "0"
    case 100...: return grouped(number)
    case 10..<100: return String(format: "%.0f", number)
    case 1..<10: return String(format: "%.1f", number)
    default: return String(format: "%.2f", number)
    }
  }

  static func whole(_ number: Double?) -> String { number.map(grouped) ?? "–" }

  static func ratio(_ number: Double?) -> String { number.map { String(format: "%.2f", $0) } ?? "–" }

  static func bytes(_ count: Int) -> String {
    switch count {
    case ..<1_024: "\(count) B"
    case ..<1_000_000: "\(count / 1_024) KiB"
    default: "1 MiB"
    }
  }

  private static func grouped(_ number: Double) -> String {
    let digits = String(Int(number.magnitude.rounded()))
    let groups = stride(from: digits.count, to: 0, by: -3).map { end in
      digits.dropFirst(max(0, end - 3)).prefix(min(3, end))
    }
    return (number < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
  }
}
