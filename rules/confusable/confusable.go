// Package confusable folds letters of other scripts to the Latin letters and
// digits that a reader takes them for (a selection from Unicode's
// confusables.txt, UTS #39: what host and package names are forged with).
package confusable

import (
	"strings"
	"unicode"
)

// Skeleton folds the confusable letters of s. folded tells whether there were
// any; a letter that looks like none of ASCII stays.
func Skeleton(s string) (skeleton string, folded bool) {
	skeleton = strings.Map(func(r rune) rune {
		to, ok := Letter(r)
		folded = folded || ok
		return to
	}, s)
	return skeleton, folded
}

// Letter is the ASCII letter or sign that r looks like, or r itself.
func Letter(r rune) (to rune, folded bool) {
	if r < 0x80 {
		return r, false
	}
	if to, ok := letters[r]; ok {
		return to, true
	}
	if r >= 0xff01 && r <= 0xff5e { // full width
		return r - 0xff01 + '!', true
	}
	return r, false
}

var drawnAlike = strings.NewReplacer("0", "o", "1", "l", "i", "l", "vv", "w", "rn", "m")

// Drawn is a name as a hasty reader sees it: letters that look alike are one,
// case counts not.
func Drawn(name string) string {
	skeleton, _ := Skeleton(name)
	return drawnAlike.Replace(strings.ToLower(skeleton))
}

// Mixed reports whether s draws letters from Latin and from a script whose
// letters pass for Latin ones.
func Mixed(s string) bool {
	latin, other := false, false
	for _, r := range s {
		switch {
		case r < 0x80 && unicode.IsLetter(r):
			latin = true
		case unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee):
			other = true
		}
	}
	return latin && other
}

var letters = pairs("аa еe оo рp сc уy хx ѕs іi јj ԁd ԛq ԝw һh ӏl ѵv ɡg ɑa ɩi ıi кk мm тt вb нh гr пn " +
	"αa βb γy εe ηn ιi κk νv οo ρp τt υu χx ωw ϲc ϳj " +
	"АA ВB ЕE КK МM НH ОO РP СC ТT ХX УY ЅS ІI ЈJ ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX " +
	"օo սu հh ոn ցg ӧo ѐe ёe ӓa ɪi ʏy ᴠv ᴡw ᴢz ꜱs ᴏo ᴄc ᴋk " +
	"ᴀa ʙb ᴅd ᴇe ꜰf ɢg ʜh ᴊj ʟl ᴍm ɴn ᴘp ꞯq ʀr ᴛt ᴜu ȷj " +
	"ᎠD ᎡR ᎢT ᎪA ᎫJ ᎬE ᎳW ᎷM ᎻH ᎶG ᏃZ ᏚS ᏕS ᏙV ᏞL ᏟC ᏢP ᏦK ᏴB ᏻG " +
	"ꓐB ꓑP ꓒd ꓓD ꓔT ꓖG ꓗK ꓙJ ꓚC ꓜZ ꓝF ꓟM ꓠN ꓡL ꓢS ꓣR ꓦV ꓧH ꓪW ꓫX ꓬY ꓮA ꓰE ꓲI ꓳO ꓴU")

func pairs(list string) map[rune]rune {
	m := map[rune]rune{}
	for pair := range strings.FieldsSeq(list) {
		r := []rune(pair)
		m[r[0]] = r[1]
	}
	return m
}
