import Foundation

/// One run's figures: a flat JSON object, its keys in the order they were added.
struct Line: Sendable {
  enum Value: Sendable, Equatable {
    case text(String)
    case number(Double)
    case flag(Bool)
    /// Not a number, or not measured.
    case nothing
  }

  private(set) var fields: [(key: String, value: Value)] = []

  init() {}

  mutating func add(_ key: String, _ text: String) { set(key, .text(text)) }
  mutating func add(_ key: String, _ number: Int) { set(key, .number(Double(number))) }
  mutating func add(_ key: String, _ number: Double) {
    set(key, number.isFinite ? .number(number) : .nothing)
  }
  mutating func add(_ key: String, _ flag: Bool) { set(key, .flag(flag)) }

  mutating func set(_ key: String, _ value: Value) {
    if let place = fields.firstIndex(where: { $0.key == key }) {
      fields[place].value = value
    } else {
      fields.append((key, value))
    }
  }

  func number(_ key: String) -> Double? {
    if case .number(let number)? = self[key] { number } else { nil }
  }

  func text(_ key: String) -> String? {
    if case .text(let text)? = self[key] { text } else { nil }
  }

  func flag(_ key: String) -> Bool? {
    if case .flag(let flag)? = self[key] { flag } else { nil }
  }

  private subscript(key: String) -> Value? { fields.first { $0.key == key }?.value }

  // MARK: JSON

  var json: String {
    let parts = fields.map { "\(Line.quoted($0.key)):\(Line.json($0.value))" }
    return "{" + parts.joined(separator: ",") + "}"
  }

  func print() { FileHandle.standardOutput.write(Data((json + "\n").utf8)) }

  private static func json(_ value: Value) -> String {
    switch value {
    case .text(let text): quoted(text)
    case .number(let number) where number == number.rounded() && abs(number) < 1e15: "\(Int(number))"
    case .number(let number): String(format: "%.4g", number)
    case .flag(let flag): flag ? "true" : "false"
    case .nothing: "null"
    }
  }

  private static func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"", "\\": "\\\(scalar)"
      case _ where scalar.value < 32: String(format: "\\u%04x", scalar.value)
      default: String(scalar)
      }
    }
    return "\"" + escaped.joined() + "\""
  }

  /// Reads one flat object, as written by `json`.
  init?(parsing text: String) {
    let text = text.trimmingCharacters(in: .whitespaces)
    guard text.hasPrefix("{"), text.hasSuffix("}") else { return nil }
    let field = /"((?:[^"\\]|\\.)*)"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+|true|false|null)/
    for match in text.matches(of: field) {
      let value = String(match.2)
      switch value {
      case "true": set(String(match.1), .flag(true))
      case "false": set(String(match.1), .flag(false))
      case "null": set(String(match.1), .nothing)
      case _ where value.hasPrefix("\""):
        guard let text = try? JSONDecoder().decode(String.self, from: Data(value.utf8)) else { return nil }
        set(String(match.1), .text(text))
      default:
        guard let number = Double(value) else { return nil }
        set(String(match.1), .number(number))
      }
    }
  }

  /// All objects of a file with one a line.
  static func read(_ path: String) throws -> [Line] {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw Settings.Fault(
        description:
          "cannot read \(path); `make bench` writes the latest results, `make bench-save` the committed ones")
    }
    return try text.split(separator: "\n").map { row in
      guard let line = Line(parsing: String(row)) else {
        throw Settings.Fault(description: "\(path): expected a JSON object, found \(row.prefix(60))")
      }
      return line
    }
  }
}
