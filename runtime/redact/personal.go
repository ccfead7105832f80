package redact

import "strings"

func digit(b byte) bool  { return b-'0' <= 9 }
func letter(b byte) bool { return b|0x20-'a' < 26 }
func word(b byte) bool   { return digit(b) || letter(b) || b == '_' || b >= 0x80 }

// begins reports whether a value may begin at i: nothing of a word is before it.
func begins(text string, i int) bool { return i == 0 || !word(text[i-1]) }

// cards finds numbers of payment cards: 13 to 19 digits in one piece or in
// groups (ISO/IEC 7812-1), of a network that exists, with the right check digit.
func cards(text string, found func(start, end int)) {
	for i := 0; i < len(text); i++ {
		if !digit(text[i]) {
			continue
		}
		var digits [20]byte
		n, end := 0, i
		for j := i; j < len(text) && n < len(digits); j++ {
			switch {
			case digit(text[j]):
				digits[n] = text[j] - '0'
				n, end = n+1, j+1
				continue
			case (text[j] == ' ' || text[j] == '-') && j+1 < len(text) && digit(text[j+1]):
				continue
			}
			break
		}
		// What is left and right of it may be another number with a space
		// between: each length that a card can have is tried at each group.
		if begins(text, i) && !decimal(text, i) {
			if to := card(text, i, digits[:n]); to > 0 {
				found(i, to)
				i = to - 1
				continue
			}
		}
		for i+1 < end && digit(text[i+1]) { // the next group
			i++
		}
	}
}

// decimal reports whether the digits at i are the fraction of a number.
func decimal(text string, i int) bool {
	return i > 1 && text[i-1] == '.' && digit(text[i-2])
}

// card returns the end of the card number at i, 0 without one.
func card(text string, i int, digits []byte) int {
	at := i
	for n := range digits {
		for !digit(text[at]) {
			at++
		}
		at++
		if n+1 < 13 || n+1 > 19 || at < len(text) && word(text[at]) {
			continue
		}
		if at+1 < len(text) && text[at] == '.' && digit(text[at+1]) {
			continue
		}
		if network(digits, n+1) && luhn(digits[:n+1]) {
			return at
		}
	}
	return 0
}

// network reports whether a network gives out numbers of this length that begin
// so.
func network(d []byte, length int) bool {
	two, four := int(d[0])*10+int(d[1]), int(d[0])*1000+int(d[1])*100+int(d[2])*10+int(d[3])
	switch {
	case d[0] == 4:
		return length == 13 || length == 16 || length == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return length == 16
	case two == 34, two == 37:
		return length == 15
	case two == 36, two == 38, two == 39, four >= 3000 && four <= 3059:
		return length >= 14
	case four >= 3528 && four <= 3589:
		return length >= 16
	case four == 6011, two == 65, two == 62, two == 64, two == 60, two == 81:
		return length >= 16
	case two == 50, two >= 56 && two <= 69: // Maestro
		return length >= 16
	}
	return false
}

// luhn is the check digit of ISO/IEC 7812-1, annex B.
func luhn(digits []byte) bool {
	sum, same := 0, true
	for i, d := range digits {
		n := int(d)
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
		same = same && d == digits[0]
	}
	return sum%10 == 0 && !same
}

// ibanLengths are the lengths of bank account numbers by country (ISO 13616,
// the registry's edition of 2025).
const ibanLengths = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 "

// ibans finds bank account numbers: in one piece or in groups of four.
func ibans(text string, found func(start, end int)) {
	for i := 0; i+15 <= len(text); i++ {
		if !letter(text[i]) || !letter(text[i+1]) || !digit(text[i+2]) || !digit(text[i+3]) || !begins(text, i) {
			continue
		}
		at := strings.Index(ibanLengths, strings.ToUpper(text[i:i+2]))
		if at < 0 || at%5 != 0 {
			continue
		}
		length := int(ibanLengths[at+2]-'0')*10 + int(ibanLengths[at+3]-'0')
		if end := iban(text, i, length); end > 0 {
			found(i, end)
			i = end - 1
		}
	}
}

// iban returns the end of the account number of a length at i, 0 without one:
// its remainder by 97, with the country and the check digits at its end, is 1.
func iban(text string, i, length int) int {
	rest, n, at := 0, 0, i
	var head [4]byte
	add := func(b byte) {
		if digit(b) {
			rest = (rest*10 + int(b-'0')) % 97
		} else {
			rest = (rest*100 + int(b|0x20-'a') + 10) % 97
		}
	}
	for ; n < length; at++ {
		switch {
		case at == len(text):
			return 0
		case text[at] == ' ' && n > 0 && n%4 == 0 && text[at-1] != ' ':
			continue
		case !digit(text[at]) && !letter(text[at]):
			return 0
		case n < 4:
			head[n] = text[at]
		default:
			add(text[at])
		}
		n++
	}
	for _, b := range head {
		add(b)
	}
	if rest != 1 || at < len(text) && word(text[at]) {
		return 0
	}
	return at
}

// emails finds addresses of mail (RFC 5321 without quoted local parts). git@
// is nobody's.
func emails(text string, found func(start, end int)) {
	last := 0
	for i := 1; i < len(text)-3; i++ {
		if text[i] != '@' {
			continue
		}
		start := i
		for start > last && i-start < 64 && (word(text[start-1]) || strings.IndexByte(".%+-'", text[start-1]) >= 0) {
			start--
		}
		for start < i && strings.IndexByte(".-'", text[start]) >= 0 {
			start++
		}
		end, dot, letters := i+1, false, true
		for end < len(text) && end-i < 255 && (word(text[end]) && text[end] != '_' || (text[end] == '-' || text[end] == '.') && end+1 < len(text) && word(text[end+1]) && text[end-1] != '@') {
			if text[end] == '.' {
				dot, letters = true, true
			} else if digit(text[end]) || text[end] == '-' {
				letters = false
			}
			end++
		}
		if top := end - 1 - strings.LastIndexByte(text[i:end], '.') - i; start == i || !dot || !letters || top < 2 || text[start:i] == "git" {
			continue
		}
		found(start, end)
		last, i = end, end-1
	}
}

// phones finds telephone numbers in their international form (ITU-T E.164,
// E.123): a plus and 8 to 15 digits, in groups or not.
func phones(text string, found func(start, end int)) {
	for i := 0; i+9 <= len(text); i++ {
		if text[i] != '+' || text[i+1]-'1' > 8 || !begins(text, i) || i > 0 && text[i-1] == '+' {
			continue
		}
		n, end := 0, i+1
		for j := i + 1; j < len(text) && n <= 15; j++ {
			if digit(text[j]) {
				n, end = n+1, j+1
			} else if strings.IndexByte(" -./()", text[j]) < 0 || j-end > 1 {
				break
			}
		}
		if n < 8 || n > 15 || end < len(text) && word(text[end]) {
			continue
		}
		found(i, end)
		i = end - 1
	}
}
