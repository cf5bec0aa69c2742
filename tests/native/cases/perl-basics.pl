#: about: perl: regular expressions, hashes, sorting, files, pipes, fork, signals
use strict;
use warnings;

my %count;
$count{$_}++ for split //, "the quick brown fox jumps over the lazy dog";
print join(",", map {"$_$count{$_}"} sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count), "\n";
open(my $out, ">", "numbers") or die;
print $out "$_\n" for 1 .. 1000;
close $out;
open(my $in, "<", "numbers") or die;
my $sum = 0;
$sum += $_ while <$in>;
close $in;
print "sum $sum, size ", -s "numbers", "\n";
open(my $pipe, "-|", "sort -rn numbers | head -3") or die;
print "from the pipe: $_" while <$pipe>;
close $pipe;
my $child = fork();
if ($child == 0) { exit 9 }
waitpid($child, 0);
print "child ", $? >> 8, "\n";
local $SIG{USR1} = sub { print "caught USR1\n" };
kill "USR1", $$;
my $text = "2026-11-21 and 1999-01-02";
print "$3/$2/$1\n" while $text =~ /(\d+)-(\d+)-(\d+)/g;
print `echo backquote`;
eval { die "thrown\n" };
print "caught $@";
exit 4;
