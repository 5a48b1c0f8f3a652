//! Numbers, compared to the last digit, as PostgreSQL's `numeric` compares them: a double would not do.

use std::cmp::Ordering;

/// Characters of a number in a query: twice what a double's value takes.
const LEN_MAX: usize = 100;
/// Powers of ten of a number in a query: more than a double's, and far from where `numeric` ends.
const EXPONENT_MAX: u64 = 1000;

/// `0.d₁d₂d₃… × 10^exponent`; zero has no digits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Number {
    is_negative: bool,
    exponent: i64,
    digits: Vec<u8>,
}

impl Number {
    /// The value of a number in the form of JSON.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_whole = whole == "0" || !whole.starts_with('0') && !whole.is_empty();
        if !is_whole || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        let end = digits.iter().rposition(|&digit| digit != b'0').map_or(zeros, |last| last + 1);
        if zeros == end {
            return Some(Self { is_negative: false, exponent: 0, digits: Vec::new() });
        }
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()?;
        let exponent = point.checked_add(power)?;
        Some(Self { is_negative, exponent, digits: digits[zeros..end].to_vec() })
    }

    /// Whether a text of a query is a number that PostgreSQL can take as well.
    pub(super) fn is_taken(text: &str) -> bool {
        text.len() <= LEN_MAX
            && Self::parse(text).is_some_and(|n| n.exponent.unsigned_abs() <= EXPONENT_MAX)
    }

    /// Zero is neither, and between both.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

fn parse_power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_power = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_power { text.parse().ok() } else { None }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = || (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits));
        self.sign().cmp(&other.sign()).then_with(|| match self.sign() {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect(text)
    }

    #[test]
    fn numbers_are_told_apart_to_the_last_digit() {
        let ordered = [
            "-1e300",
            "-2.5",
            "-2",
            "-1e-9",
            "0",
            "1e-9",
            "0.1",
            "1",
            "12345678901234567890",
            "12345678901234567891",
        ];
        for (at, small) in ordered.iter().enumerate() {
            assert!(ordered[at + 1..].iter().all(|large| number(small) < number(large)), "{small}");
        }
        for (a, b) in [("1", "1.0"), ("100", "1E+2"), ("0.05", "5e-2"), ("-0", "0e9")] {
            assert_eq!(number(a).cmp(&number(b)), Ordering::Equal, "{a} {b}");
        }
        for text in [
            "",
            "-",
            "1.",
            ".5",
            "007",
            "1e",
            "1e+",
            "+1",
            "1_0",
            "0x1",
            "NaN",
            "é",
            "1e99999999999999999999",
        ] {
            assert!(!Number::is_taken(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn order_is_that_of_integers_and_halves(a in -5_000_i32..5_000, b in -5_000_i32..5_000) {
            let text = |n: i32| (f64::from(n) / 2.0).to_string();
            prop_assert_eq!(number(&text(a)).cmp(&number(&text(b))), a.cmp(&b));
        }
    }
}
